import { withinRows } from '../../activities/billing/acts.ts'
import type { BillingFacts, BillingProvider } from '../../activities/ports.ts'
import type { Tx } from '../../db/client.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import { seededPlans } from '../../db/seeded-plans.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import {
  type Act,
  type BillingDecision,
  type BillingMemory,
  builtInBillingPolicy,
  takenBackBy,
} from '../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../workflows/rules/billing-decision.ts'
import { differingFacts, noFacts } from '../../workflows/rules/billing-differences.ts'
import { decideEntitlements } from '../../workflows/rules/entitlements.ts'
import { aheadOfNextPeriod } from '../../workflows/rules/plan-change-times.ts'
import { isUnderWay } from '../../workflows/rules/subscription-state.ts'
import { forgotten } from './billing-situations.ts'
import { planOfPrices, priceIds } from './stripe-in-process.ts'

const plans = seededPlans()

interface Told {
  organisationId: string
  customerId: string
  billing: BillingProvider
  now: () => number
  /** In the organisation's ledger, which is held to add up after each. */
  inLedger: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>
}

/** An organisation's story with its memory in process, deciding and acting as the activities do, and its ledger in PostgreSQL. */
export function storyInMemory({ organisationId, customerId, billing, now, inLedger }: Told) {
  let memory: BillingMemory = forgotten
  let seen: BillingFacts = noFacts
  let last: BillingDecision | undefined
  const waiting = new Map<string, Extract<BillingRequest, { kind: 'change_plan' }>>()

  return {
    settle,
    next: () => last?.timers[0]?.at ?? Infinity,
    /** As reconciliation does it: looks where Stripe has anything else than was seen last, and tells whether it has. */
    async reconcile(): Promise<boolean> {
      const isBehind = differingFacts(seen, await fetchFacts()).length > 0
      if (isBehind) await settle()
      return isBehind
    },
    /** Whoever asks looks at what holds first. */
    async ask(request: BillingRequest, key: string): Promise<void> {
      await settle()
      if (request.kind === 'pay_now') await payNow(request.invoiceId, key)
      if (request.kind === 'change_plan') letWait(request, key)
      await settle()
    },
    /** Whoever uses what they have bought sees it in their balance first. */
    async use(key: string, amount: number): Promise<void> {
      await settle()
      await inLedger((tx) => burnUse(tx, { key, type: 'call_seconds', amount }, new Date(now())))
    },
    end: () => ({
      facts: seen,
      subscriptions: (last?.subscriptions ?? []).map(({ id, state, access }) => ({ id, state, access })),
      entitlements: last ? decideEntitlements({ facts: seen, plans, now: now() }, last).entitlements : null,
    }),
  }

  async function fetchFacts(): Promise<BillingFacts> {
    const account = await billing.fetchAccount(customerId, planOfPrices, never())
    return account?.facts ?? noFacts
  }

  async function settle(): Promise<void> {
    for (;;) {
      seen = await fetchFacts()
      last = decideBilling({ organisationId, facts: seen, memory, plans, policy: builtInBillingPolicy, now: now() })
      const overdue = last.subscriptions.flatMap(({ id, overdueSince }) =>
        overdueSince === null ? [] : [[id, overdueSince]],
      )
      memory = { ...memory, overdueSince: Object.fromEntries(overdue) }
      if (last.acts.length === 0) return
      for (const act of last.acts) await perform(act)
    }
  }

  async function perform(act: Act): Promise<void> {
    if (memory.done.includes(act.key)) throw new Error(`${act.key} comes twice`)
    if (act.is === 'charge') {
      if (act.because === 'drafted') await billing.finalizeInvoice(act.invoiceId, act.key, never())
      await billing.payInvoice(act.invoiceId, act.cardId, act.key, never())
      remember(act.invoiceId, act.cardId)
    } else if (act.is === 'use_card') {
      await billing.useCard(act.subscriptionId, act.cardId, act.key, never())
    } else if (act.is === 'change_plan') {
      await changePlan(act.changeId, act.key)
    } else {
      const inRows = withinRows(act)
      if (inRows) await inLedger((tx) => inRows(tx, new Date(now())))
    }
    memory = {
      ...memory,
      done: [...memory.done, act.key],
      takenBack: [...memory.takenBack, ...takenBackBy(act)],
    }
  }

  function remember(invoiceId: string, cardId: string): void {
    memory = { ...memory, charges: [...memory.charges, { invoiceId, cardId, at: now() }] }
  }

  async function payNow(invoiceId: string, key: string): Promise<void> {
    if (last?.isFrozen) return
    if (seen.openInvoices.some(({ id, isDraft }) => id === invoiceId && isDraft))
      await billing.finalizeInvoice(invoiceId, key, never())
    await billing.payInvoice(invoiceId, null, key, never())
    remember(invoiceId, seen.card?.id ?? '')
  }

  function letWait(request: Extract<BillingRequest, { kind: 'change_plan' }>, id: string): void {
    const { subscriptionId } = request
    const subscription = seen.subscriptions.find((one) => one.id === subscriptionId)
    if (!subscription || !isUnderWay(subscription) || subscription.cancelsAt !== null) return
    // One at a time waits.
    if (memory.changes.length > 0) return
    waiting.set(id, request)
    memory = {
      ...memory,
      changes: [...memory.changes, { id, subscriptionId, at: Math.max(now(), aheadOfNextPeriod(subscription)) }],
    }
  }

  async function changePlan(id: string, key: string): Promise<void> {
    const request = waiting.get(id)
    const change = memory.changes.find((one) => one.id === id)
    if (!request || !change) throw new Error('nobody has asked for that change')
    const { subscriptionId, planKey, priceKey } = request
    const setting = plans.find((plan) => plan.key === planKey)?.prices.find((price) => price.key === priceKey)?.setting
    const subscription = seen.subscriptions.find((one) => one.id === subscriptionId)
    const isWithin = subscription !== undefined && now() < aheadOfNextPeriod(subscription)
    const money = isWithin ? 'with_proration' : 'without'
    await billing.changePrice({ subscriptionId, priceId: priceIds[setting ?? ''] ?? '', money }, key, never())
    memory = { ...memory, changes: memory.changes.filter((one) => one.id !== id) }
  }
}

const never = () => AbortSignal.timeout(30_000)
