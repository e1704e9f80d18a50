import { type CreditEntryKind, lowCreditShares } from '../workflows/contracts/credits.ts'
import type { Tx } from './client.ts'
import { expireGrants, giveBack } from './credit-expiry.ts'

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
  const [account] = await tx<LockedAccount[]>`
    select id, type, balance, owed from credit_accounts where type = ${type} for no key update`
  if (!account) return null
  // Asked by a statement of its own: one that has waited for the row would go on with what it had seen of others before.
  const [row] = await tx<{ isDue: boolean }[]>`select credits_are_due(${account.id}, ${now}) as is_due`
  return row?.isDue ? writeDownDue(tx, account.id, now) : account
}

export interface Taking {
  type: string
  amount: number
  kind: Extract<CreditEntryKind, 'burned' | 'reserved' | 'clawed_back'>
  sourceKey: string
  now: Date
  /** Whether what the grants do not cover is owed; else nothing is taken. */
  onCredit?: boolean
  /** The grant that is to pay first, with what has rolled over from it; then the others do as they were granted. */
  first?: string
}

/** What has come of taking credits, and the balance then; `short`: it does not cover them, and nothing is taken. */
export interface Take {
  is: 'taken' | 'short'
  balance: number
  /** Whether that brought the balance to a share that is told of, or below the threshold of a top-up: the story has to look (`wakeCustomersBilling`). */
  crossed: boolean
}

/**
 * Takes credits in the account's turn from the grants in their order: by priority, then what expires first, then what was granted before what was
 * purchased.
 */
export function take(tx: Tx, taking: Taking): Promise<Take> {
  const { type, amount, kind, sourceKey, now, onCredit = false, first = null } = taking
  return onceWrittenDown(tx, { type, now }, async () => {
    const [row] = await tx<(Take | Due)[]>`
      select "is", balance, crossed from take_credits(
        ${type}, ${amount}, ${kind}, ${sourceKey}, ${now}, ${onCredit}, ${shares}::int[], ${first}::uuid)`
    return row
  })
}

export interface Use {
  key: string
  type: string
  amount: number
}

/** `known`: told before; the balance is the one that it left then. `other`: the key is another use's. */
export interface Used extends Omit<Take, 'is'> {
  is: 'taken' | 'short' | 'known' | 'other'
  /** Of the amount, what the balance did not cover and a subscription meters: Stripe invoices it. With the first of it the story has to look, too. */
  metered: number
}

/** Somebody else has told of this use in this very moment: asked once more, in a transaction of its own, that is what is found. */
export class ToldMeanwhile extends Error {
  override name = 'ToldMeanwhile'
}

/**
 * Burns what was used, once under its key; what the balance does not cover is metered (db/metered-usage.ts) or, of a type that is not, refused with
 * all of it. Throws ToldMeanwhile.
 */
export async function burnUse(tx: Tx, { key, type, amount }: Use, now: Date): Promise<Used> {
  const used = await onceWrittenDown(tx, { type, now }, async () => {
    const [row] = await tx<(Used | Due | { is: 'again' })[]>`
      select "is", balance, metered, crossed from use_credits(${key}, ${type}, ${amount}, ${now}, ${shares}::int[])`.catch(
      (error: unknown) => {
        throw isBurned(error) ? new ToldMeanwhile() : error
      },
    )
    return row
  })
  if (used.is === 'again') throw new ToldMeanwhile()
  return used
}

/** Both waited for the same turn, and the other's entry is there. */
function isBurned(error: unknown): boolean {
  return error instanceof Error && 'constraint_name' in error && error.constraint_name === 'credit_entries_source'
}

const shares = [...lowCreditShares]

interface Due {
  is: 'due'
}

async function onceWrittenDown<Told extends { is: string }>(
  tx: Tx,
  { type, now }: { type: string; now: Date },
  attempt: () => Promise<Told | Due | undefined>,
): Promise<Told> {
  const told = await attempt()
  if (told && !isDue(told)) return told
  await lockAccount(tx, type, now)
  const late = await attempt()
  if (!late || isDue(late)) throw new Error('what was due has just been written down')
  return late
}

function isDue(told: { is: string }): told is Due {
  return told.is === 'due'
}

/** Reservations and grants whose time has passed, in the order in which it did: whoever looks first finds what anybody would have found. */
async function writeDownDue(tx: Tx, accountId: string, now: Date): Promise<LockedAccount> {
  const overdue = await tx<{ id: string; actKey: string; amount: number; expiresAt: Date }[]>`
    update credit_reservations set status = 'expired', ended_at = expires_at
    where account_id = ${accountId} and status = 'reserved' and expires_at <= ${now}
    returning id, act_key, amount, expires_at`
  for (const { expiresAt, ...reservation } of overdue.toSorted(
    (one, other) => one.expiresAt.getTime() - other.expiresAt.getTime(),
  )) {
    await expireGrants(tx, accountId, expiresAt)
    await giveBack(tx, accountId, reservation, expiresAt)
  }
  await expireGrants(tx, accountId, now)
  const [account] = await tx<
    LockedAccount[]
  >`select id, type, balance, owed from credit_accounts where id = ${accountId}`
  if (!account) throw new Error('the account is in our turn')
  return account
}
