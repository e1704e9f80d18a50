import { type CreditEntryKind, lowCreditShares } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'

/** An account in the turn of this transaction: nobody else changes it before the commit. */
export interface LockedAccount {
  id: string
  type: string
  balance: number
  owed: number
}

/**
 * Takes the account's turn, and writes down what has expired by now. Null: there never were credits of this type. Whoever takes several
 * takes them in the order of their types.
 */
export async function lockAccount(tx: Tx, type: string, now: Date): Promise<LockedAccount | null> {
  const [account] = await tx<(LockedAccount & { hasDue: boolean })[]>`
    select id, type, balance, owed, ${hasDue(tx, now)} as has_due from credit_accounts where type = ${type} for no key update`
  if (!account) return null
  return account.hasDue ? writeDownDue(tx, account.id, now) : account
}

/** Whether something of the account has expired by now and is not written down yet. */
export const hasDue = (tx: Tx, now: Date) => tx`
  (exists (
    select from credit_grants where account_id = credit_accounts.id and not is_spent and expires_at <= ${now}
  ) or exists (
    select from credit_reservations
    where account_id = credit_accounts.id and status = 'reserved' and expires_at <= ${now}
  ))`

export interface Taking {
  type: string
  amount: number
  kind: Extract<CreditEntryKind, 'burned' | 'reserved' | 'clawed_back'>
  sourceKey: string
  now: Date
  /** Whether what the grants do not cover is owed; else nothing is taken. */
  onCredit?: boolean
  /** The grant that is to pay first. */
  first?: string
}

interface Taken {
  /** What is left. */
  balance: number
  /** The share, in per cent, that the period's credits have fallen to; null when they had before. */
  fellTo: number | null
}

/** What has come of taking credits; `short`: the balance does not cover it, and nothing is taken. */
export type Take = ({ is: 'taken' } & Taken) | { is: 'short'; balance: number }

/**
 * Takes credits in the account's turn from the grants in their order: by priority, then what expires first, then what was granted before what was
 * purchased.
 */
export async function take(tx: Tx, taking: Taking): Promise<Take> {
  const { type, amount, kind, sourceKey, now, onCredit = false, first = null } = taking
  const attempt = async () => {
    const [row] = await tx<(Take | { is: 'due' })[]>`
      select * from take_credits(
        ${type}, ${amount}, ${kind}, ${sourceKey}, ${now}, ${onCredit}, ${[...lowCreditShares]}::int[], ${first}::uuid)`
    if (!row) throw new Error('a function has an answer')
    return row
  }
  const taken = await attempt()
  if (taken.is !== 'due') return taken
  await lockAccount(tx, type, now)
  const late = await attempt()
  if (late.is === 'due') throw new Error('what was due has just been written down')
  return late
}

/** Puts credits into a new grant's account; what is owed is paid first. */
export async function enterGrant(
  tx: Tx,
  accountId: string,
  grant: { id: string; amount: number; sourceKey: string; at: Date },
): Promise<void> {
  await tx`
    insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
    values (${accountId}, ${grant.id}, 'granted', ${grant.amount}, ${grant.sourceKey}, ${grant.at})`
  await tx`update credit_accounts set balance = balance + ${grant.amount} where id = ${accountId}`
  await repay(tx, accountId, grant)
}

/** What a grant has again pays what is owed. */
async function repay(tx: Tx, accountId: string, grant: { id: string; sourceKey: string; at: Date }): Promise<void> {
  await tx`
    with payment as (
      select least(owed, remaining) as amount
      from credit_accounts join credit_grants on credit_grants.account_id = credit_accounts.id
      where credit_accounts.id = ${accountId} and credit_grants.id = ${grant.id} and owed > 0 and not is_spent
    ), paid as (
      update credit_grants set remaining = remaining - payment.amount from payment where id = ${grant.id}
    ), entered as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}, side.grant_id, 'repaid', side.amount, ${grant.sourceKey}, ${grant.at}::timestamptz
      from payment cross join lateral (values (${grant.id}::uuid, -payment.amount), (null, payment.amount)) as side (grant_id, amount)
    )
    update credit_accounts set owed = owed - payment.amount from payment where credit_accounts.id = ${accountId}`
}

/**
 * Gives back up to `amount` of what a reservation holds, to the grants it was taken from, the last first. What has expired meanwhile goes the way of
 * the rest of its grant.
 */
export async function giveBack(
  tx: Tx,
  accountId: string,
  { reservationId, amount, now }: { reservationId: string; amount: number; now: Date },
): Promise<void> {
  const sourceKey = releaseKey(reservationId)
  const given = await tx<{ id: string }[]>`
    with held as (
      select grant_id, -amount as amount, sum(-amount) over (order by id desc rows unbounded preceding) + amount as before
      from credit_entries where account_id = ${accountId} and source_key = ${reserveKey(reservationId)} and kind = 'reserved'
    ), parts as (
      select grant_id, least(amount, ${amount} - before) as amount from held where before < ${amount}
    ), entered as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}, grant_id, 'released', amount, ${sourceKey}, ${now}::timestamptz from parts
    ), credited as (
      update credit_accounts set balance = balance + (select sum(amount) from parts) where id = ${accountId}
    )
    update credit_grants set remaining = remaining + parts.amount from parts where credit_grants.id = parts.grant_id
    returning credit_grants.id`
  await expireGrants(tx, accountId, now, sourceKey)
  for (const { id } of given) await repay(tx, accountId, { id, sourceKey, at: now })
}

export const reserveKey = (reservationId: string): string => `reserve/${reservationId}`
const releaseKey = (reservationId: string): string => `release/${reservationId}`

/** Reservations and grants whose time has passed. */
async function writeDownDue(tx: Tx, accountId: string, now: Date): Promise<LockedAccount> {
  const overdue = await tx<{ id: string; amount: number }[]>`
    update credit_reservations set status = 'expired', ended_at = ${now}
    where account_id = ${accountId} and status = 'reserved' and expires_at <= ${now}
    returning id, amount`
  for (const { id, amount } of overdue) await giveBack(tx, accountId, { reservationId: id, amount, now })
  await expireGrants(tx, accountId, now)
  const [account] = await tx<
    LockedAccount[]
  >`select id, type, balance, owed from credit_accounts where id = ${accountId}`
  if (!account) throw new Error('the account is in our turn')
  return account
}

interface ExpiredGrant {
  id: string
  remaining: number
  priority: number
  expiresAt: Date
  rollsOver: number
  rollsOverUntil: Date | null
}

/** `cause`: what has given something back to grants that had expired before. */
async function expireGrants(tx: Tx, accountId: string, now: Date, cause?: string): Promise<void> {
  const due = await tx<ExpiredGrant[]>`
    select id, remaining, priority, expires_at, rolls_over, rolls_over_until from credit_grants
    where account_id = ${accountId} and not is_spent and (expires_at <= ${now} or expired_at is not null)
    order by expires_at, id`
  for (const grant of due) {
    const sourceKey = cause ?? `expire/${grant.id}`
    const rolled = Math.min(grant.remaining, grant.rollsOver)
    await tx`
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      values (${accountId}, ${grant.id}, 'expired', ${-grant.remaining}, ${sourceKey}, ${grant.expiresAt})`
    await tx`
      update credit_grants set remaining = 0, rolls_over = rolls_over - ${rolled}, expired_at = coalesce(expired_at, ${now})
      where id = ${grant.id}`
    await tx`update credit_accounts set balance = balance - ${grant.remaining} where id = ${accountId}`
    if (rolled > 0 && grant.rollsOverUntil !== null) await rollOver(tx, accountId, grant, rolled, sourceKey)
  }
  // What has rolled over may have expired since, too.
  if (due.some(({ rollsOver }) => rollsOver > 0)) await expireGrants(tx, accountId, now, cause)
}

async function rollOver(
  tx: Tx,
  accountId: string,
  { id, priority, expiresAt, rollsOverUntil }: ExpiredGrant,
  amount: number,
  cause: string,
): Promise<void> {
  const sourceKey = `rollover/${id}/${cause}`
  const [grant] = await tx<{ id: string }[]>`
    insert into credit_grants (account_id, source_key, source, amount, remaining, priority, expires_at, granted_at)
    values (${accountId}, ${sourceKey}, 'rollover', ${amount}, ${amount}, ${priority}, ${rollsOverUntil}, ${expiresAt})
    returning id`
  if (!grant) throw new Error('insert returned no row')
  await enterGrant(tx, accountId, { id: grant.id, amount, sourceKey, at: expiresAt })
}
