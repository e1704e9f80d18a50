import type { InboundEvent } from '../workflows/contracts/inbound-events.ts'
import type { Sql } from './client.ts'

/** What came of an event. `ignored`: nothing that we go by; `unmatched`: about nobody whom we know. */
type InboundStatus = 'delivered' | 'ignored' | 'unmatched'

/**
 * Keeps an event as it came, once for the organisation of this transaction; by the system login for nobody's. False when it was there
 * already: then everything that follows from it is there, too.
 */
export async function recordInboundEvent(
  tx: Sql,
  {
    provider,
    event,
    status,
    about = [],
    now,
  }: {
    provider: string
    event: InboundEvent
    status: InboundStatus
    /** Of one that is unmatched: by which ids it is found once they are known. */
    about?: readonly string[]
    now: Date
  },
): Promise<boolean> {
  const [inserted] = await tx`
    insert into inbound_events (provider, provider_event_id, type, payload, status, about, occurred_at, received_at)
    values (${provider}, ${event.id}, ${event.type}, ${storableJson(event.payload)}::text::jsonb, ${status}, ${about},
      ${plausibleTime(event.occurredAt, now)}, ${now})
    on conflict do nothing returning id`
  return inserted !== undefined
}

/** Longer than any provider goes on repeating an event. */
const oldestMs = 30 * 24 * 60 * 60_000

/** When it happened, as far as that can be believed: what is yet to come or long past happened now. */
export function plausibleTime(saidAt: Date, now: Date): Date {
  const ageMs = now.getTime() - saidAt.getTime()
  return ageMs >= 0 && ageMs <= oldestMs ? saidAt : now
}

/** PostgreSQL refuses NUL and halves of surrogate pairs, also in the names of fields: in JSON text both are escapes. */
function storableJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null'
  return text.replaceAll(/(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][\da-f]{2})/g, '$1\\ufffd')
}

/** An event that concerns nobody whom we know. What else it says is not for everybody's eyes. */
export interface UnmatchedEvent {
  id: string
  provider: string
  providerEventId: string
  type: string
  about: string[]
  occurredAt: Date
  receivedAt: Date
}

/** The newest first. Rows are there for the platform alone. */
export async function listUnmatchedEvents(
  tx: Sql,
  { limit, before, provider }: { limit: number; before: string | null; provider: string | null },
): Promise<UnmatchedEvent[]> {
  return tx<UnmatchedEvent[]>`
    select id, provider, provider_event_id, type, about, occurred_at, received_at from inbound_events
    where status = 'unmatched' and (${before}::uuid is null or id < ${before})
      and (${provider}::text is null or provider = ${provider})
    order by id desc limit ${limit}`
}
