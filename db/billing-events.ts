import type { Tx } from './client.ts'

/** Something that happened to what an organisation subscribes to and pays. No people are in it. */
export interface BillingEvent {
  id: string
  type: string
  details: Record<string, unknown>
  at: Date
  /** The same in microseconds since the epoch, as the database orders by it. */
  atMicros: string
}

/** The timeline, the newest first. */
export async function listBillingEvents(
  tx: Tx,
  { limit, before }: { limit: number; before: Pick<BillingEvent, 'id' | 'atMicros'> | null },
): Promise<BillingEvent[]> {
  const isBefore =
    before === null
      ? tx`true`
      : tx`(at, id) < (timestamptz 'epoch' + ${before.atMicros}::bigint * interval '1 microsecond', ${before.id}::uuid)`
  return tx<BillingEvent[]>`
    select id, type, details, at, (extract(epoch from at) * 1000000)::bigint::text as at_micros
    from billing_events where ${isBefore}
    order by at desc, id desc limit ${limit}`
}
