import * as fc from 'fast-check'
import { z } from 'zod'
import { type BillingFacts, type BillingProvider, type Payment, ProviderError } from '../../activities/ports.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import { isUnderWay } from '../../workflows/rules/subscription-state.ts'
import { dayMs, hourMs } from './billing-situations.ts'
import { planOfPrices, priceIds } from './stripe-in-process.ts'

/** What a step of a life is; the more often a kind stands here, the more often it comes. */
const kinds = [
  'subscribe',
  'subscribe',
  'buyPack',
  'newCard',
  'newCard',
  'bankSaysNo',
  'bankSaysNo',
  'bankSaysYes',
  'changePlan',
  'changePlanLater',
  'cancel',
  'refund',
  'refund',
  'refundFails',
  'refundFails',
  'dispute',
  'endDispute',
  'payNow',
  'use',
  'use',
] as const

/** What people and banks do next, so many days after the step before, at an hour of that day; `pick` chooses among what there is. */
export interface Step {
  is: (typeof kinds)[number]
  days: number
  hour: number
  pick: number
}

/**
 * Everybody subscribes first. Periods begin in the first hour of a day; the rest happens later in it, since what is taken back of credits in the two hours for which
 * they outlast their period is taken of others when that is heard of after these.
 */
export const someLife: fc.Arbitrary<Step[]> = fc
  .array(
    fc.record({
      is: fc.constantFrom(...kinds),
      days: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 })),
      hour: fc.integer({ min: 4, max: 23 }),
      pick: fc.nat(1_000),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .chain((steps) => fc.nat(1_000).map((pick): Step[] => [{ is: 'subscribe', days: 1, hour: 0, pick }, ...steps]))

const minuteMs = 60_000

/** When each step is taken, numbered from 1, and when it is looked at how it stands: a day after the last. */
export function momentsOf(life: readonly Step[], began: number) {
  let day = began
  const steps = life.map((step, index) => {
    day += step.days * dayMs
    const number = index + 1
    // No two periods end in the same moment: which of their credits were burned would be a matter of ids.
    return { step, at: day + (step.is === 'subscribe' ? number * 5 * minuteMs : step.hour * hourMs), number }
  })
  return { steps, endsAt: Math.max(...steps.map(({ at }) => at)) + dayMs }
}

/** Whose life it is, and through whom things are done. */
export interface Person {
  customerId: string
  billing: BillingProvider
  /** At Stripe, whom nobody asks for it. */
  happen(event: { type: string } & Record<string, unknown>): void | Promise<void>
  /** By the story, which is asked for it. */
  ask(request: BillingRequest): Promise<void>
  /** Burns so many credits, if they are there. */
  use(key: string, amount: number): Promise<void>
}

/** Whether what Stripe charges next depends on when we hear of it: then that is at once. */
export const bringsCard = ({ is }: Step, number: number): boolean =>
  is === 'newCard' || (is === 'subscribe' && number > 1)

/** Takes a step. What cannot be done as things are is not done. */
export async function take({ is, pick }: Step, number: number, person: Person): Promise<void> {
  const { customerId, billing } = person
  const account = await billing.fetchAccount(customerId, planOfPrices, never())
  if (!account) throw new Error('there is no such customer')
  const among = <T>(all: readonly T[]): T | undefined => all[pick % all.length]
  try {
    await steps[is]({ ...person, facts: account.facts, pick, among, key: `step/${customerId}/${number}` })
  } catch (error) {
    const isRefused = error instanceof z.ZodError || (error instanceof ProviderError && error.outcome === 'rejected')
    if (!isRefused) throw error
  }
}

interface Chance extends Person {
  facts: BillingFacts
  pick: number
  among: <T>(all: readonly T[]) => T | undefined
  /** At Stripe, of what is done in this step. */
  key: string
}

const families = [
  ['STRIPE_PRICE_SCOUT', 'STRIPE_PRICE_HUNTER_249', 'STRIPE_PRICE_COMMAND'],
  ['STRIPE_PRICE_STARTER_MONTHLY', 'STRIPE_PRICE_PROFESSIONAL_MONTHLY', 'STRIPE_PRICE_ENTERPRISE_MONTHLY'],
]
const tiers = [
  ['scout', 'monthly'],
  ['hunter', 'monthly-249'],
  ['command', 'monthly'],
] as const

const steps: Record<Step['is'], (chance: Chance) => Promise<void>> = {
  async subscribe(chance) {
    const { facts, pick, among } = chance
    const prices = families[facts.subscriptions.filter(isUnderWay).length]
    if (!prices) return
    const trialDays = [null, 7, 14][pick % 3] ?? null
    const fails = trialDays !== null && pick % 5 === 0
    await checkOut(chance, among(prices) ?? '', { trialDays, card: fails ? 'pm_card_chargeCustomerFail' : goodCard })
  },
  buyPack: (chance) => checkOut(chance, chance.among(['STRIPE_PRICE_CALLS_60', 'STRIPE_PRICE_CALLS_300']) ?? ''),
  async newCard({ happen, customerId, pick }) {
    const paymentMethod = pick % 4 === 0 ? 'pm_card_chargeCustomerFail' : goodCard
    await happen({ type: 'portal.newCard', customer: customerId, paymentMethod })
  },
  async bankSaysNo({ happen, facts, pick }) {
    const declineCode = pick % 5 === 0 ? 'lost_card' : 'insufficient_funds'
    await happen({ type: 'card.decline', paymentMethod: facts.card?.id, declineCode })
  },
  bankSaysYes: async ({ happen, facts }) =>
    happen({ type: 'card.decline', paymentMethod: facts.card?.id, declineCode: null }),
  async changePlan({ billing, facts, key, pick, among }) {
    const one = among(facts.subscriptions.filter(isUnderWay))
    const isTier = tiers.some(([planKey]) => one?.items.some((item) => item.planKey === planKey))
    const priceId = priceIds[families[isTier ? 0 : 1]?.[Math.floor(pick / 2) % 3] ?? '']
    if (one && priceId)
      await billing.changePrice({ subscriptionId: one.id, priceId, money: 'with_proration' }, key, never())
  },
  async changePlanLater({ ask, facts, pick }) {
    const one = facts.subscriptions.find(({ items }) =>
      items.some(({ planKey }) => tiers.some(([key]) => key === planKey)),
    )
    const [planKey, priceKey] = tiers[pick % 3] ?? tiers[0]
    if (one) await ask({ kind: 'change_plan', subscriptionId: one.id, planKey, priceKey, when: 'period_end' })
  },
  async cancel({ billing, facts, key, pick, among }) {
    const one = among(facts.subscriptions.filter(isUnderWay))
    const when = (['period_end', 'period_end', 'undo', 'now'] as const)[Math.floor(pick / 2) % 4] ?? 'now'
    if (one) await billing.cancel(one.id, when, key, never())
  },
  async refund({ billing, facts, key, pick, among }) {
    const payment = among(paid(facts))
    const amount = payment && pick % 3 === 0 ? Math.ceil(payment.amount / 3) : null
    if (payment) await billing.refund({ paymentId: payment.id, amount }, key, never())
  },
  async refundFails({ happen, facts, among }) {
    const succeeded = facts.refunds.filter(({ status }) => status === 'succeeded')
    const largest = succeeded.toSorted((one, other) => one.amount - other.amount || one.at - other.at)
    await happen({ type: 'refund.fail', refundId: among(largest)?.id ?? '' })
  },
  async dispute({ happen, facts, pick, among }) {
    const id = among(paid(facts))?.id ?? ''
    const charged = id.startsWith('in_') ? { invoice: id } : { paymentIntent: id }
    await happen({ type: 'dispute.open', ...charged, days: 5 + (pick % 20) })
  },
  async endDispute({ happen, facts, pick }) {
    const open = facts.disputes.find(({ status }) => status === 'needs_response')
    await happen({ type: pick % 2 === 0 ? 'dispute.win' : 'dispute.lose', disputeId: open?.id ?? '' })
  },
  async payNow({ ask, facts, among }) {
    const invoice = among(facts.openInvoices)
    if (invoice) await ask({ kind: 'pay_now', invoiceId: invoice.id })
  },
  use: ({ use, key, pick }) => use(key, (pick % 40) * 100 + 1),
}

const goodCard = 'pm_card_visa'

async function checkOut(
  { billing, happen, customerId, key }: Chance,
  setting: string,
  { trialDays = null, card = goodCard }: { trialDays?: number | null; card?: string } = {},
): Promise<void> {
  const wanted = {
    customerId,
    priceId: priceIds[setting] ?? '',
    quantity: 1,
    subscription: setting.includes('_CALLS_') ? null : { trialDays },
    successUrl: 'https://customer.test/done',
    cancelUrl: 'https://customer.test/back',
  }
  const session = await billing.startCheckout(wanted, key, never())
  await happen({ type: 'checkout.complete', sessionId: session.id, paymentMethod: card })
}

/** The same order whatever ids they have, and whenever they were paid. */
function paid({ payments }: BillingFacts): Payment[] {
  const name = ({ amount, lines }: Payment) =>
    JSON.stringify([amount, lines.map(({ planKey, subscription }) => [planKey, subscription?.period.startsAt])])
  return payments
    .filter(({ amount }) => amount > 0)
    .toSorted((one, other) => (name(one) < name(other) ? -1 : name(one) > name(other) ? 1 : one.paidAt - other.paidAt))
}

const never = () => AbortSignal.timeout(30_000)
