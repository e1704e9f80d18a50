import type { Tx } from './client.ts'
import { burnOrder, expireGrants, repay } from './credit-expiry.ts'
import { lockAccount, type Take, take } from './credit-ledger.ts'

/** Of what a grant gave. `sourceKey`: of the act, done once. */
export interface Returned {
  grantKey: string
  amount: number
  sourceKey: string
}

/** `known`: it was taken back before, or nothing of it is left to take back. `unknown`: there is no such grant yet. */
export type ClawedBack = ({ is: 'taken'; amount: number } & Pick<Take, 'balance'>) | { is: 'known' | 'unknown' }

/**
 * Takes back what a grant gave, because its payment was: from what remains of it, then from the others as they were granted, and the rest is owed. Once
 * under its key, and never more than was granted and has not expired unused.
 */
export async function clawBack(tx: Tx, { grantKey, amount, sourceKey }: Returned, now: Date): Promise<ClawedBack> {
  const grant = await lockGrant(tx, grantKey, now)
  if (!grant) return { is: 'unknown' }
  const ownKey = `${sourceKey}/${grant.id}`
  const [left] = await tx<{ amount: number; isKnown: boolean }[]>`
    select least(${amount}, original.amount - original.clawed_back - coalesce(sum(family.expired), 0))::bigint as amount,
      exists (select from credit_entries where source_key = ${ownKey} and kind = 'clawed_back') as is_known
    from credit_grants as original
      join credit_grants as family on family.id = original.id or family.rolled_from = original.id
    where original.id = ${grant.id} group by original.id`
  if (!left || left.isKnown) return { is: 'known' }
  const taken = Math.max(0, left.amount)
  await tx`
    update credit_grants set to_claw_back = to_claw_back + ${amount}, clawed_back = clawed_back + ${taken} where id = ${grant.id}`
  if (taken === 0) return { is: 'known' }
  const taking = { type: grant.type, amount: taken, kind: 'clawed_back', sourceKey: ownKey, now } as const
  const { balance } = await take(tx, { ...taking, onCredit: true, first: grant.id })
  return { is: 'taken', amount: taken, balance }
}

/** `known`: it was given back before, or nothing of it was taken. `unknown`: there is no such grant. */
export type GivenBack = { is: 'given'; amount: number } | { is: 'known' | 'unknown' }

/**
 * Gives back what was taken of a grant, because its payment came again after all, and never more than was: it is owed no more; those that have paid
 * instead have it again, the newest first; and then the grant itself. What has expired meanwhile goes the way of the rest of its grant, and what is
 * owed otherwise is paid of it. Once under its key.
 */
export async function giveBackClawed(
  tx: Tx,
  { grantKey, amount: asked, sourceKey }: Returned,
  now: Date,
): Promise<GivenBack> {
  const grant = await lockGrant(tx, grantKey, now)
  if (!grant) return { is: 'unknown' }
  const { id, accountId, owed } = grant
  const ownKey = `${sourceKey}/${id}`
  const [left] = await tx<{ clawedBack: number; toClawBack: number; isKnown: boolean }[]>`
    select clawed_back, greatest(0, to_claw_back - ${asked})::bigint as to_claw_back,
      exists (select from credit_entries where source_key = ${ownKey} and kind = 'given_back') as is_known
    from credit_grants where id = ${id}`
  if (!left || left.isKnown) return { is: 'known' }
  const { clawedBack, toClawBack } = left
  const amount = Math.max(0, clawedBack - toClawBack)
  await tx`update credit_grants set to_claw_back = ${toClawBack}, clawed_back = ${clawedBack - amount} where id = ${id}`
  if (amount === 0) return { is: 'known' }
  const payers = await payersOf(tx, accountId, id)
  const wasOthers = Math.min(amount, clawedBack - payers.reduce((sum, { own }) => sum + own, 0))
  const noLongerOwed = Math.min(wasOthers, owed)
  const toOthers = partsOf(wasOthers - noLongerOwed, payers, ({ lent }) => lent)
  const toItself = partsOf(amount - wasOthers, payers, ({ own }) => own)
  await enter(tx, { accountId, sourceKey: ownKey, at: now }, [
    ...toOthers.map((part) => ({ ...part, kind: 'repaid' })),
    ...toItself.map((part) => ({ ...part, kind: 'given_back' })),
    { grantId: null, amount: wasOthers, kind: 'given_back' },
    { grantId: null, amount: noLongerOwed - wasOthers, kind: 'repaid' },
  ])
  await tx`
    update credit_accounts set balance = balance + ${amount}, owed = owed - ${noLongerOwed} where id = ${accountId}`
  await expireGrants(tx, accountId, now, { id: sourceKey, sourceKey: ownKey, at: now })
  await repay(tx, accountId, ownKey, now)
  return { is: 'given', amount }
}

/** Ends a grant, and what has rolled over from it, before its time; what is set aside of it ends when it comes back. False: there is no such grant. */
export async function endGrant(tx: Tx, grantKey: string, now: Date): Promise<boolean> {
  const grant = await lockGrant(tx, grantKey, now)
  if (!grant) return false
  await tx`
    update credit_grants set expires_at = least(expires_at, ${now}), rolls_over = 0
    where id = ${grant.id} or rolled_from = ${grant.id}`
  await expireGrants(tx, grant.accountId, now)
  return true
}

interface LockedGrant {
  id: string
  type: string
  accountId: string
  owed: number
}

/** In the turn of its account. */
async function lockGrant(tx: Tx, grantKey: string, now: Date): Promise<LockedGrant | null> {
  const [grant] = await tx<{ id: string; type: string }[]>`
    select credit_grants.id, type from credit_grants join credit_accounts on credit_accounts.id = account_id
    where source_key = ${grantKey}`
  const account = grant && (await lockAccount(tx, grant.type, now))
  return account ? { ...grant, accountId: account.id, owed: account.owed } : null
}

/** A grant that has paid for what others, or nothing, had to (`lent`), or for what was taken back of this grant itself, be it rolled over (`own`). */
interface Payer {
  grantId: string
  lent: number
  own: number
}

/** The newest first: they are asked in the order in which they were granted (take_credits), so that these have paid last. */
async function payersOf(tx: Tx, accountId: string, grantId: string): Promise<Payer[]> {
  const asked = await tx<Payer[]>`
    select grant_id, -coalesce(sum(entries.amount) filter (where kind = 'repaid'), 0)::bigint as lent,
      -coalesce(sum(entries.amount) filter (where kind <> 'repaid' and coalesce(rolled_from, grant_id) = ${grantId}), 0)::bigint as own
    from credit_entries as entries join credit_grants on credit_grants.id = grant_id
    where entries.account_id = ${accountId} and kind in ('repaid', 'clawed_back', 'given_back')
    group by grant_id, credit_grants.id order by credit_grants.granted_at, ${burnOrder(tx)}`
  return asked.toReversed()
}

interface Part {
  grantId: string | null
  amount: number
}

/** So much of it each, until it is all given. */
function partsOf(wanted: number, payers: readonly Payer[], most: (payer: Payer) => number): Part[] {
  let open = wanted
  return payers.map((payer) => {
    const amount = Math.min(open, most(payer))
    open -= amount
    return { grantId: payer.grantId, amount }
  })
}

/** Writes down what comes and goes, and what remains of the grants then. */
async function enter(
  tx: Tx,
  { accountId, sourceKey, at }: { accountId: string; sourceKey: string; at: Date },
  entries: readonly (Part & { kind: string })[],
): Promise<void> {
  const told = entries.filter(({ amount }) => amount !== 0)
  await tx`
    with told as (
      select grant_id, kind, amount from jsonb_to_recordset(${JSON.stringify(
        told.map(({ grantId, kind, amount }) => ({ grant_id: grantId, kind, amount })),
      )}::text::jsonb) as told (grant_id uuid, kind text, amount bigint)
    ), entered as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}::uuid, grant_id, kind, amount, ${sourceKey}, ${at}::timestamptz from told
    ), sums as (
      select grant_id, sum(amount)::bigint as amount from told group by grant_id
    )
    update credit_grants set remaining = remaining + sums.amount from sums where credit_grants.id = sums.grant_id`
}
