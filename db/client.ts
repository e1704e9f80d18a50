import postgres from 'postgres'
import { answered } from './deadline.ts'

/** A transaction; every query function takes one, so that callers decide what belongs together. */
export type Tx = postgres.TransactionSql

/** A pool, or a transaction of one. */
export type Sql = postgres.ISql

/**
 * The organisations' database, under the login `throughline_app`. There is no way to query it without saying for whom: row-level
 * security shows the rows of that organisation and refuses to write others'.
 */
export interface Database {
  /**
   * Runs `work` in one transaction as this organisation. Rolls back when it throws. Rejects with DatabaseSilent when the database has
   * not answered in time: then the transaction may still end either way.
   */
  as<T>(organisationId: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /** Throws when the database does not answer. */
  ping(): Promise<void>
  /** Calls back with each story id that was notified, until stopped. Reconnects by itself; `onReconnect` tells of a gap. */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<{ stop(): Promise<void> }>
  close(): Promise<void>
}

/** How long the database may be silent before we give up on it. Longer than its own time-outs, which say more. Milliseconds. */
const patience = { transactionMs: 20_000, pingMs: 3_000 }

/** Opens a pool for organisations' work. Connects at the first query. */
export function connectDatabase(
  url: string,
  options: { name: string; poolSize?: number; patience?: typeof patience },
): Database {
  const sql = connect(url, options)
  const { transactionMs, pingMs } = options.patience ?? patience
  return {
    async as(organisationId, work) {
      const transaction = sql.begin(async (tx) => {
        await tx`select set_config('app.organisation_id', ${organisationId}, true)`
        return { value: await work(tx) }
      })
      return (await answered(transaction, transactionMs)).value
    },
    async ping() {
      await answered(sql`select 1`, pingMs)
    },
    async listen(channel, onNotify, onReconnect) {
      const { unlisten } = await sql.listen(channel, onNotify, onReconnect)
      return { stop: unlisten }
    },
    close: () => sql.end({ timeout: closeSeconds }),
  }
}

/** Opens the pool of the login `throughline_system`, for what belongs to no one request. */
export function connectSystem(url: string, options: { name: string; poolSize?: number }): postgres.Sql {
  return connect(url, options)
}

const closeSeconds = 5

function connect(url: string, { name, poolSize = 10 }: { name: string; poolSize?: number }): postgres.Sql {
  return postgres(url, {
    max: poolSize,
    connect_timeout: 5,
    idle_timeout: 60,
    max_lifetime: 30 * 60,
    onnotice: () => {},
    // Exact as long as it fits a number; whatever is counted or paid here does.
    types: { int8: { to: 20, from: [20], parse: safeInteger, serialize: String } },
    // Column names only: the transform of whole rows would also rename the keys inside jsonb.
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
    // Nothing waits without an end: a query, a lock, or a transaction that its process forgot. Milliseconds.
    connection: {
      application_name: `throughline-${name}`,
      statement_timeout: 15_000,
      lock_timeout: 5_000,
      idle_in_transaction_session_timeout: 30_000,
      // What is looked up lies in memory or on a disk without arms, and no statement of ours is long enough to be worth compiling.
      random_page_cost: 1.1,
      jit: false,
    },
  })
}

function safeInteger(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} is more than a number holds exactly`)
  return number
}
