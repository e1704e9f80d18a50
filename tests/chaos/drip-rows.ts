import { idTags } from '../../activities/ports.ts'
import type { Database, Tx } from '../../db/client.ts'
import type { TakenMessage } from '../../dev/sandbox/tenant.ts'
import { eventually } from '../support/eventually.ts'

const patience = { timeout: 60_000, interval: 100 }

export type DripRows = ReturnType<typeof dripRows>

/** What only the rows tell. Each is asked for until the database answers. */
export function dripRows(database: Database, organisationId: string) {
  const as = <T>(work: (tx: Tx) => Promise<T>) => eventually(() => database.as(organisationId, work), patience)
  const ids = async (work: (tx: Tx) => Promise<{ id: string }[]>) => (await as(work)).map(({ id }) => id)
  return {
    /** Messages that are claimed and may be on their way. */
    sending: () => ids((tx) => tx`select id from messages where status = 'sending'`),

    /** Messages of which at some time nobody knew whether they had gone. */
    everUnclear: () => ids((tx) => tx`select id from messages where unconfirmed_at is not null`),

    /** How many messages, and how many things to be told to Temporal, are not over yet. */
    async unsettled(): Promise<{ messages: number; outbox: number }> {
      const [row] = await as(
        (tx) => tx<{ messages: number; outbox: number }[]>`
          select (select count(*)::int from messages where status in ('planned', 'sending', 'unconfirmed')) as messages,
            (select count(*)::int from outbox where status <> 'delivered') as outbox`,
      )
      if (!row) throw new Error('a count has one row')
      return row
    },

    /** The people about whom a fact is recorded that ends journeys. */
    heardOf: () =>
      ids(
        (tx) => tx`
          select distinct contact_id as id from contact_events
          where type in ('message.bounced', 'message.complained', 'message.received', 'suppression.added')`,
      ),

    /** Of messages that were taken, those that should not have been claimed any more, by the order of commits, and those claimed too long before. */
    async wrong(taken: readonly TakenMessage[]): Promise<{ afterStop: number; late: number }> {
      const calls = taken.map(({ tags, idempotencyKey, at }) => ({ id: tags[idTags.message], key: idempotencyKey, at }))
      const [row] = await as(
        (tx) => tx<{ afterStop: number; late: number }[]>`
          select count(*) filter (where claimed > suppressed or claimed > left_at)::int as after_stop,
            count(*) filter (where taken_at > claimed_at + interval '11 seconds')::int as late
          from (
            select messages.claimed_at, call.at as taken_at,
              greatest(pg_xact_commit_timestamp(send_batches.xmin), messages.claimed_at) as claimed,
              (
                select min(pg_xact_commit_timestamp(suppressions.xmin)) from suppressions
                where suppressions.address_hash = messages.address_hash
              ) as suppressed,
              case when enrolments.status = 'exited' then pg_xact_commit_timestamp(enrolments.xmin) end as left_at
            from jsonb_to_recordset(${tx.json(calls)}) as call(id uuid, key text, at timestamptz)
            join messages on messages.id = call.id
            join send_batches on send_batches.provider_key = call.key
            join enrolments on enrolments.id = messages.enrolment_id
          ) as claims`,
      )
      if (!row) throw new Error('a count has one row')
      return row
    },
  }
}
