import type { Tx } from './client.ts'
import { giveBack, lockAccount, reserveKey, take } from './credit-ledger.ts'

export interface NewReservation {
  type: string
  amount: number
  /** One reservation an act: `{process}/{subject}/{act}`. */
  actKey: string
  /** When it falls back to the balance, if nobody has ended it. */
  expiresAt: Date
}

/** `balance`: what is left beside it; where it is `short`, what there is. */
export interface Reserved {
  is: 'reserved' | 'short'
  balance: number
  /** As in Taken. */
  fellTo: number | null
}

/**
 * Sets credits aside for an act that is about to begin, all or nothing, so that nothing else can use them up meanwhile. Asked again under the same
 * key it tells that they are set aside, whatever has become of them.
 */
export async function reserveCredits(tx: Tx, reservation: NewReservation, now: Date): Promise<Reserved> {
  const { type, amount, actKey, expiresAt } = reservation
  const account = await lockAccount(tx, type, now)
  const [known] = await tx`select 1 from credit_reservations where act_key = ${actKey}`
  const balance = account?.balance ?? 0
  if (known) return { is: 'reserved', balance, fellTo: null }
  if (!account || balance < amount) return { is: 'short', balance, fellTo: null }
  const [inserted] = await tx<{ id: string }[]>`
    insert into credit_reservations (account_id, act_key, amount, expires_at)
    values (${account.id}, ${actKey}, ${amount}, ${expiresAt}) returning id`
  if (!inserted) throw new Error('insert returned no row')
  const taken = await take(tx, { type, amount, kind: 'reserved', sourceKey: reserveKey(inserted.id), now })
  if (taken.is !== 'taken') throw new Error('a balance is covered by its grants')
  return { ...taken, is: 'reserved' }
}

interface Reservation {
  id: string
  accountId: string
  type: string
  amount: number
  status: 'reserved' | 'settled' | 'released' | 'expired'
}

/**
 * Ends a reservation by what the act took. What is left of it goes back; what it took beyond is burned too, on credit if need be, since it has been
 * used. So is all of it when the reservation had expired. Told again, it changes nothing. False: there is no such reservation, or it was released.
 */
export async function settleReservation(tx: Tx, actKey: string, amount: number, now: Date): Promise<boolean> {
  const reservation = await lockReservation(tx, actKey, now)
  if (!reservation || reservation.status === 'released') return false
  if (reservation.status === 'settled') return true
  const { id, accountId, type, status } = reservation
  const held = status === 'reserved' ? reservation.amount : 0
  await tx`
    update credit_reservations set status = 'settled', settled = ${amount}, ended_at = coalesce(ended_at, ${now}) where id = ${id}`
  if (amount < held) await giveBack(tx, accountId, { reservationId: id, amount: held - amount, now })
  const beyond = { type, kind: 'burned', sourceKey: `settle/${id}`, now, onCredit: true } as const
  if (amount > held) await take(tx, { ...beyond, amount: amount - held })
  return true
}

/** Ends the reservation of an act that did not come about. Told again, it changes nothing; false when it was ended otherwise. */
export async function releaseReservation(tx: Tx, actKey: string, now: Date): Promise<boolean> {
  const reservation = await lockReservation(tx, actKey, now)
  if (!reservation || reservation.status === 'settled') return false
  if (reservation.status !== 'reserved') return true
  const { id, accountId, amount } = reservation
  await tx`update credit_reservations set status = 'released', ended_at = ${now} where id = ${id}`
  await giveBack(tx, accountId, { reservationId: id, amount, now })
  return true
}

/** In the turn of its account, and after what has expired by now was written down. */
async function lockReservation(tx: Tx, actKey: string, now: Date): Promise<Reservation | undefined> {
  const read = () => tx<Reservation[]>`
    select credit_reservations.id, account_id, type, amount, status
    from credit_reservations join credit_accounts on credit_accounts.id = account_id
    where act_key = ${actKey}`
  const [seen] = await read()
  if (!seen) return undefined
  await lockAccount(tx, seen.type, now)
  const [reservation] = await read()
  return reservation
}
