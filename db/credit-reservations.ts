import type { Tx } from './client.ts'
import { giveBack, reserveKey } from './credit-expiry.ts'
import { lockAccount, type Take, take } from './credit-ledger.ts'

export interface NewReservation {
  type: string
  amount: number
  /** One reservation an act: `{process}/{subject}/{act}`. */
  actKey: string
  /** After which it falls back to the balance, if nobody has ended it. Milliseconds. */
  lastsMs: number
}

/**
 * `reserved`: it is set aside, also where it was before. `short`: the balance does not cover it. `ended`: this act's reservation is over already; it
 * may not begin by it once more. `other`: the key is another act's.
 */
export interface Reserved extends Omit<Take, 'is'> {
  is: 'reserved' | 'short' | 'ended' | 'other'
}

/** Sets credits aside for an act that is about to begin, all or nothing, so that nothing else can use them up meanwhile. */
export async function reserveCredits(tx: Tx, reservation: NewReservation, now: Date): Promise<Reserved> {
  const { type, amount, actKey, lastsMs } = reservation
  const account = await lockAccount(tx, type, now)
  const before = { balance: account?.balance ?? 0, crossed: false }
  const known = await findReservation(tx, actKey)
  if (known && (known.type !== type || known.amount !== amount)) return { is: 'other', ...before }
  if (known) return { is: known.status === 'reserved' ? 'reserved' : 'ended', ...before }
  if (!account || before.balance < amount) return { is: 'short', ...before }
  const taken = await take(tx, { type, amount, kind: 'reserved', sourceKey: reserveKey(actKey), now })
  if (taken.is === 'short') return { ...taken, is: 'short' }
  // Whoever has the same key at the same moment, for another type, fails by it and finds this one then.
  await tx`
    insert into credit_reservations (account_id, act_key, amount, expires_at)
    values (${account.id}, ${actKey}, ${amount}, ${new Date(now.getTime() + lastsMs)})`
  return { ...taken, is: 'reserved' }
}

interface Reservation {
  id: string
  accountId: string
  actKey: string
  type: string
  amount: number
  status: 'reserved' | 'settled' | 'released' | 'expired'
}

/** `done`: also where it was before. `ended`: it was ended in another way. `unknown`: there is no such reservation. */
export type Ended = 'done' | 'ended' | 'unknown'

/** `crossed`: as of what is taken. */
export interface Settled extends Pick<Take, 'crossed'> {
  is: Ended
}

/**
 * Ends a reservation by what the act took. What is left of it goes back; what it took beyond is burned too, on credit if need be, since it has been
 * used. So is all of it when the reservation had expired.
 */
export async function settleReservation(tx: Tx, actKey: string, amount: number, now: Date): Promise<Settled> {
  const reservation = await lockReservation(tx, actKey, now)
  if (!reservation) return { is: 'unknown', crossed: false }
  if (reservation.status === 'released') return { is: 'ended', crossed: false }
  if (reservation.status === 'settled') return { is: 'done', crossed: false }
  const { id, accountId, type, status } = reservation
  const held = status === 'reserved' ? reservation.amount : 0
  await tx`
    update credit_reservations set status = 'settled', settled = ${amount}, ended_at = coalesce(ended_at, ${now}) where id = ${id}`
  if (amount < held) await giveBack(tx, accountId, { id, actKey, amount: held - amount }, now)
  if (amount <= held) return { is: 'done', crossed: false }
  const beyond = { type, kind: 'burned', sourceKey: `settle/${actKey}`, now, onCredit: true } as const
  const { crossed } = await take(tx, { ...beyond, amount: amount - held })
  return { is: 'done', crossed }
}

/** Ends the reservation of an act that did not come about. */
export async function releaseReservation(tx: Tx, actKey: string, now: Date): Promise<Ended> {
  const reservation = await lockReservation(tx, actKey, now)
  if (!reservation) return 'unknown'
  if (reservation.status === 'settled') return 'ended'
  if (reservation.status !== 'reserved') return 'done'
  const { id, accountId, amount } = reservation
  await tx`update credit_reservations set status = 'released', ended_at = ${now} where id = ${id}`
  await giveBack(tx, accountId, { id, actKey, amount }, now)
  return 'done'
}

/** In the turn of its account, and after what has expired by now was written down. */
async function lockReservation(tx: Tx, actKey: string, now: Date): Promise<Reservation | undefined> {
  const seen = await findReservation(tx, actKey)
  if (!seen) return undefined
  await lockAccount(tx, seen.type, now)
  return findReservation(tx, actKey)
}

async function findReservation(tx: Tx, actKey: string): Promise<Reservation | undefined> {
  const [reservation] = await tx<Reservation[]>`
    select credit_reservations.id, account_id, act_key, type, amount, status
    from credit_reservations join credit_accounts on credit_accounts.id = account_id
    where act_key = ${actKey}`
  return reservation
}
