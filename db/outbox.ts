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

/** Workflows that are told at the same time. */
const atOnce = 8
/** Rows stay locked until the last has gone: nothing is begun after so long, far below what PostgreSQL lets a transaction idle. */
const patienceMs = 10_000
/** Of one delivery; what is more is delivered by the next. */
const mostRows = 5_000

/**
 * Delivers what is due: to the workflows of the `limit` rows that are due for longest, or to these, every row that waits for them, in order. Returns how
 * many rows went and how many did not. What several rows say alike is said once, since all of them were committed before it is said. Rows that
 * another process is delivering are left to it. A row whose delivery fails is due again later; one that can never be delivered becomes `dead`,
 * which people can list.
 */
export async function deliverDue(
  system: Sql,
  delivery: Delivery,
  options: { now: Date } & ({ limit: number } | { workflowIds: readonly string[] }),
): Promise<Delivered> {
  const { now } = options
  return system.begin(async (tx) => {
    const told =
      'workflowIds' in options ? tx`${options.workflowIds}::text[]` : tx`array(${dueWorkflows(tx, now, options.limit)})`
    const rows = await tx<TriedRow[]>`
      select id, organisation_id, workflow_id, name, args, subject_id, summary, request_id, signal, signal_args, attempts
      from outbox where status = 'pending' and workflow_id = any(${told})
      order by id limit ${mostRows} for update skip locked`
    const { delivered, failures } = await deliverAll(delivery, rows)
    if (delivered.length > 0)
      await tx`update outbox set status = 'delivered', delivered_at = ${now}, attempts = attempts + 1 where id = any(${delivered})`
    for (const { rows: same, error } of failures) await postpone(tx, delivery, same, error, now)
    const codes = failures.map(({ error }) => delivery.codeOf(error))
    return { delivered: delivered.length, failed: rows.length - delivered.length, codes: [...new Set(codes)] }
  })
}

type TriedRow = OutboxRow & { attempts: number }

interface Failure {
  rows: TriedRow[]
  error: unknown
}

function dueWorkflows(tx: Tx, now: Date, limit: number) {
  return tx`select workflow_id from outbox where status = 'pending' and next_attempt_at <= ${now} order by next_attempt_at limit ${limit}`
}

/** Each workflow is told in order, several at a time. Ends early when Temporal is unreachable: the others would wait for its time-out, too. */
async function deliverAll(delivery: Delivery, rows: readonly TriedRow[]) {
  const until = performance.now() + patienceMs
  const delivered: string[] = []
  const failures: Failure[] = []
  let isAway = false
  const workflows = Map.groupBy(rows, ({ workflowId }) => workflowId).values()
  const lane = async () => {
    for (const all of workflows) {
      for (const same of Map.groupBy(all, whatIsSaid).values()) {
        if (isAway || performance.now() > until) return
        const [first] = same
        if (!first) continue
        try {
          await delivery.deliver(first)
          delivered.push(...same.map(({ id }) => id))
        } catch (error) {
          failures.push({ rows: same, error })
          isAway ||= !delivery.isFinal(error)
        }
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return { delivered, failures }
}

function whatIsSaid({ name, args, signal, signalArgs }: OutboxRow): string {
  return JSON.stringify([name, args, signal, signalArgs])
}

async function postpone(
  tx: Tx,
  delivery: Delivery,
  rows: readonly TriedRow[],
  error: unknown,
  now: Date,
): Promise<void> {
  const status = delivery.isFinal(error) ? 'dead' : 'pending'
  const nextAttemptAt = new Date(now.getTime() + retryDelayMs(Math.max(...rows.map(({ attempts }) => attempts))))
  await tx`
    update outbox set status = ${status}, attempts = attempts + 1, next_attempt_at = ${nextAttemptAt}, last_error = ${delivery.codeOf(error)}
    where id = any(${rows.map(({ id }) => id)})`
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
