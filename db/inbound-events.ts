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
  { provider, event, status, now }: { provider: string; event: InboundEvent; status: InboundStatus; now: Date },
): Promise<boolean> {
  const [inserted] = await tx`
    insert into inbound_events (provider, provider_event_id, type, payload, status, occurred_at, received_at)
    values (${provider}, ${event.id}, ${event.type}, ${storableJson(event.payload)}::text::jsonb, ${status},
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
