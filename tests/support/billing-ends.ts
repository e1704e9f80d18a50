import type { BillingFacts, PaidLine } from '../../activities/ports.ts'
import type { Tx } from '../../db/client.ts'
import { creditBalances } from '../../db/credit-lists.ts'
import type { Entitlements } from '../../workflows/contracts/entitlements.ts'
import type { Access, SubscriptionState } from '../../workflows/contracts/subscriptions.ts'

/** How it stands with an organisation in the end. */
export interface Ended {
  facts: BillingFacts
  subscriptions: { id: string; state: SubscriptionState; access: Access }[]
  entitlements: Entitlements | null
  ledger: Ledger
}

type Ledger = Awaited<ReturnType<typeof ledgerAt>>

/** Each balance three times: as the account caches it, as the grants have it, and as the ledger sums it up. */
export function balancesIn(tx: Tx) {
  return tx<{ type: string; cached: number; granted: number; summed: number }[]>`
    select type, balance as cached,
      (select coalesce(sum(remaining), 0)::bigint from credit_grants where account_id = accounts.id) - owed as granted,
      (select coalesce(sum(amount), 0)::bigint from credit_entries where account_id = accounts.id) as summed
    from credit_accounts as accounts order by type`
}

/** The balances, and what remains of what was given, once it is written down what has expired by then. */
export async function ledgerAt(tx: Tx, now: Date) {
  await creditBalances(tx, now)
  const grants = await tx<{ source: string; amount: number; remaining: number; expiresAt: Date | null }[]>`
    select source, amount, remaining, expires_at from credit_grants where remaining > 0
    order by source, amount, remaining, expires_at`
  return { balances: [...(await balancesIn(tx))], grants: [...grants] }
}

/** The same whatever ids Stripe has made up, and whenever we came to know of what. */
export function comparable({ facts, subscriptions, entitlements, ledger }: Ended) {
  const inOrder = facts.subscriptions.toSorted((one, other) => one.startedAt - other.startedAt)
  const place = (id: string | null | undefined) => inOrder.findIndex((one) => one.id === id)
  const lineOf = ({ subscription, ...line }: PaidLine) => ({
    ...line,
    of: place(subscription?.id),
    period: subscription?.period,
  })
  return {
    subscriptions: inOrder.map(({ id, ownCardId, ...one }) => {
      const { state, access } = subscriptions.find((known) => known.id === id) ?? {}
      return { ...one, isPaidByNewest: ownCardId === null || ownCardId === facts.card?.id, state, access }
    }),
    openInvoices: sorted(
      facts.openInvoices.map(({ subscriptionId, amountDue, overdueSince }) => ({
        of: place(subscriptionId),
        amountDue,
        overdueSince,
      })),
    ),
    payments: sorted(facts.payments.map(({ amount, lines }) => ({ amount, lines: sorted(lines.map(lineOf)) }))),
    refunds: sorted(facts.refunds.map(({ amount, status }) => ({ amount, status }))),
    disputes: sorted(facts.disputes.map(({ amount, status, openedAt }) => ({ amount, status, openedAt }))),
    entitlements,
    ledger,
  }
}

function sorted<T>(all: readonly T[]): T[] {
  return all.toSorted((one, other) => (textOf(one) < textOf(other) ? -1 : 1))
}

/** Whatever order its fields have: as rows, they lose it. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  )
