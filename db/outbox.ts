import type { JSONValue, Sql } from 'postgres'
import type { Tx } from './client.ts'

/** A story that begins. `args` carry ids only. */
export interface StoryStart {
  organisationId: string
  workflowId: string
  /** The workflow type to start. */
  name: string
  args: JSONValue
  /** The id of what the story is about. */
  subjectId: string
  /** One line for operators, without personal data. */
  summary: string
}

/** What Temporal has to be told. */
export interface OutboxRow extends StoryStart {
  id: string
  requestId: string
  /** What the story is told besides being started where it does not run yet; null: the start is all. */
  signal: string | null
  signalArgs: JSONValue | null
}

type Start = Omit<StoryStart, 'organisationId'> & { requestId: string }

/** Puts the start of a workflow into the transaction that makes it true; returns the row's id. */
export function enqueueStart(tx: Tx, start: Start, now: Date): Promise<string> {
  return enqueue(tx, { kind: 'start', ...start, signal: null, signalArgs: null }, now)
}

/**
 * Puts what a story has to be told into the transaction that makes it true; returns the row's id. One that does not run is
 * started, also one that has ended: stories that are told things go by rows. It may be told twice.
 */
export function enqueueSignal(
  tx: Tx,
  told: Start & { signal: string; signalArgs: JSONValue },
  now: Date,
): Promise<string> {
  return enqueue(tx, { kind: 'signal', ...told }, now)
}

async function enqueue(
  tx: Tx,
  row: Omit<OutboxRow, 'id' | 'organisationId'> & { kind: 'start' | 'signal' },
  now: Date,
): Promise<string> {
  const signalArgs = row.signalArgs === null ? null : tx.json(row.signalArgs)
  const [inserted] = await tx<{ id: string }[]>`
    insert into outbox (kind, workflow_id, name, args, subject_id, summary, request_id, signal, signal_args, next_attempt_at)
    values (${row.kind}, ${row.workflowId}, ${row.name}, ${tx.json(row.args)}, ${row.subjectId}, ${row.summary},
      ${row.requestId}, ${row.signal}, ${signalArgs}, ${now})
    returning id`
  if (!inserted) throw new Error('insert returned no row')
  return inserted.id
}

/** How far the start of a workflow is; null when none was written, or it was delivered long ago. */
export async function startStatus(tx: Tx, workflowId: string): Promise<'pending' | 'delivered' | 'dead' | null> {
  const [row] = await tx<{ status: 'pending' | 'delivered' | 'dead' }[]>`
    select status from outbox where workflow_id = ${workflowId} order by id desc limit 1`
  return row?.status ?? null
}

export interface Delivery {
  /** Tells Temporal. Repeating it must be harmless: a row is delivered at least once. */
  deliver(row: OutboxRow): Promise<void>
  /** Whether the error can never be cured by trying again. */
  isFinal(error: unknown): boolean
  /** What went wrong, as a code: kept with the row. */
  codeOf(error: unknown): string
}

export interface Delivered {
  delivered: number
  /** Still due, or dead. */
  failed: number
  /** Why, each code once. */
  codes: string[]
}

/**
 * Delivers what is due, oldest first, and returns how many rows went and how many did not. Rows that another process is delivering are
 * left to it. A row whose delivery fails is due again later; one that can never be delivered becomes `dead`, which people can list.
 */
export async function deliverDue(
  system: Sql,
  delivery: Delivery,
  options: { now: Date; limit: number; workflowId?: string },
): Promise<Delivered> {
  const { now, limit, workflowId } = options
  return system.begin(async (tx) => {
    const rows = await tx<(OutboxRow & { attempts: number })[]>`
      select id, organisation_id, workflow_id, name, args, subject_id, summary, request_id, signal, signal_args, attempts
      from outbox
      where status = 'pending' and ${workflowId === undefined ? tx`next_attempt_at <= ${now}` : tx`workflow_id = ${workflowId}`}
      order by id limit ${limit} for update skip locked`
    const codes: string[] = []
    let delivered = 0
    for (const row of rows) {
      try {
        await delivery.deliver(row)
        await tx`update outbox set status = 'delivered', delivered_at = ${now}, attempts = attempts + 1 where id = ${row.id}`
        delivered += 1
      } catch (error) {
        const status = delivery.isFinal(error) ? 'dead' : 'pending'
        const code = delivery.codeOf(error)
        codes.push(code)
        const nextAttemptAt = new Date(now.getTime() + retryDelayMs(row.attempts))
        await tx`
          update outbox set status = ${status}, attempts = attempts + 1, next_attempt_at = ${nextAttemptAt},
            last_error = ${code}
          where id = ${row.id}`
        if (status === 'pending') break // Temporal is unreachable: the next row would wait for its time-out, too.
      }
    }
    return { delivered, failed: rows.length - delivered, codes: [...new Set(codes)] }
  })
}

/** Removes what was delivered before then, the oldest first, at most so much; returns how many rows are gone. Dead ones stay for people. */
export async function removeDelivered(
  system: Sql,
  { before, limit }: { before: Date; limit: number },
): Promise<number> {
  const removed = await system`
    delete from outbox where id in (
      select id from outbox where status = 'delivered' and delivered_at < ${before}
      order by delivered_at limit ${limit} for update skip locked)`
  return removed.count
}

/** 1 s, 2 s, 4 s ... at most a minute. */
function retryDelayMs(attempts: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.min(attempts, 6))
}
