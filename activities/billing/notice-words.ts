import type { NoticeGround } from '../../db/notice-ground.ts'
import type { Act, Money, SubscriptionFacts } from '../../workflows/contracts/subscriptions.ts'

export type NoticeAct = Extract<Act, { is: 'notice' | 'tell_operator' }>

/** What the texts of notices may say; null: it is not known, or has nothing to do with this one. */
export interface NoticeWords {
  organisation: string
  about: string
  step: number
  isLast: boolean
  /** By their names, several with commas. */
  plan: string
  /** With its currency. */
  amount: string | null
  every: string | null
  /** By the clocks of the organisation: 'December 1, 2026'. */
  date: string | null
  month: string | null
  /** 'Visa ending in 4242'. */
  card: string | null
  /** Of the invoice. */
  number: string | null
  payUrl: string | null
  portalUrl: string | null
  credits: string | null
  balance: string | null
  share: number | null
}

/** Of the state that was last seen, which is the one that the act was decided by. */
export function wordsFor(act: NoticeAct, ground: NoticeGround, portalUrl: string | null): NoticeWords {
  const { about, step, isLast } = act
  return {
    organisation: ground.name,
    about,
    step,
    isLast,
    plan: planNamesOf(ground.billing?.facts.subscriptions ?? [], ground),
    ...unknown,
    portalUrl,
    ...particulars[act.notice](act, ground),
  }
}

const unknown = {
  amount: null,
  every: null,
  date: null,
  month: null,
  card: null,
  number: null,
  payUrl: null,
  credits: null,
  balance: null,
  share: null,
}

type Particulars = (act: NoticeAct, ground: NoticeGround) => Partial<NoticeWords>

const particulars: Record<NoticeAct['notice'], Particulars> = {
  trial_ending: ofSubscription,
  trial_ended: ofSubscription,
  renewal: ofSubscription,
  access_reduced: ofSubscription,
  access_revoked: ofSubscription,
  card_expiring: ofCard,
  payment_failed: ofInvoice,
  credits_low: ofCredits,
  credits_exhausted: ofCredits,
  top_up_failed: ofCredits,
  dispute_opened: ofDispute,
  dispute_due: ofDispute,
}

function ofSubscription({ about: id }: NoticeAct, ground: NoticeGround): Partial<NoticeWords> {
  const { billing, timeZone } = ground
  const subscription = billing?.facts.subscriptions.find((one) => one.id === id)
  if (!billing || !subscription) return {}
  const [next] = subscription.items.toSorted((one, other) => one.period.endsAt - other.period.endsAt)
  const isTrial = subscription.status === 'trialing' || subscription.status === 'paused'
  const at = (isTrial ? subscription.trialEndsAt : null) ?? next?.period.endsAt ?? null
  const prices = billing.shown.subscriptions.find((one) => one.id === id)?.prices ?? []
  const invoice = billing.facts.openInvoices.find(({ subscriptionId }) => subscriptionId === id)
  return {
    plan: planNamesOf([subscription], ground),
    date: at === null ? null : dateIn(timeZone, at),
    amount: sumOf(prices.map(({ quantity, amount }) => ({ ...amount, amount: amount.amount * quantity }))),
    every: next?.every === 'P1Y' ? 'a year' : 'a month',
    payUrl: billing.shown.openInvoices.find((one) => one.id === invoice?.id)?.payUrl ?? null,
  }
}

function ofCard(_act: NoticeAct, { billing }: NoticeGround): Partial<NoticeWords> {
  const card = billing?.shown.card
  if (!card) return { month: 'this month' }
  // Its last moment, wherever it is.
  const lastDay = new Date(card.expiresAt - 1)
  return { card: `${card.brand} ending in ${card.last4}`, month: monthFormat.format(lastDay) }
}

function ofInvoice({ about: id }: NoticeAct, ground: NoticeGround): Partial<NoticeWords> {
  const { billing } = ground
  const shown = billing?.shown.openInvoices.find((one) => one.id === id)
  const facts = billing?.facts.openInvoices.find((one) => one.id === id)
  const subscription = billing?.facts.subscriptions.find((one) => one.id === facts?.subscriptionId)
  return {
    ...(subscription && { plan: planNamesOf([subscription], ground) }),
    ...(shown && { amount: moneyText(shown.due), number: shown.number, payUrl: shown.payUrl }),
  }
}

function ofCredits({ about: type, step: share }: NoticeAct, { balances }: NoticeGround): Partial<NoticeWords> {
  return {
    credits: type.replaceAll('_', ' '),
    balance: countFormat.format(Math.max(0, balances.get(type) ?? 0)),
    share,
  }
}

function ofDispute({ about: id }: NoticeAct, { billing }: NoticeGround): Partial<NoticeWords> {
  const dispute = billing?.shown.disputes.find((one) => one.id === id)
  if (!dispute) return {}
  const { amount, evidenceDueAt } = dispute
  // Operators may sit anywhere.
  return { amount: moneyText(amount), date: evidenceDueAt === null ? null : `${dateIn('UTC', evidenceDueAt)} (UTC)` }
}

/** What the catalogue has no name for is a subscription. */
function planNamesOf(subscriptions: readonly SubscriptionFacts[], { planNames }: NoticeGround): string {
  const keys = new Set(subscriptions.filter(isNotOver).flatMap(({ items }) => items.map(({ planKey }) => planKey)))
  const names = [...keys].flatMap((key) => planNames.get(key) ?? [])
  return names.length > 0 ? names.join(', ') : 'your subscription'
}

const isNotOver = ({ endedAt }: SubscriptionFacts): boolean => endedAt === null

/** Null for none, and for several currencies. */
function sumOf(amounts: readonly Money[]): string | null {
  const [first, ...others] = amounts
  if (!first || others.some(({ currency }) => currency !== first.currency)) return null
  return moneyText({ ...first, amount: amounts.reduce((sum, { amount }) => sum + amount, 0) })
}

function moneyText({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  // Its space does not break lines; it has no place in a subject either.
  return format.format(amount / 10 ** digits).replaceAll('\u00a0', ' ')
}

function dateIn(timeZone: string, at: number): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'long', timeZone }).format(at)
}

const monthFormat = new Intl.DateTimeFormat('en', { month: 'long', year: 'numeric', timeZone: 'UTC' })
const countFormat = new Intl.NumberFormat('en')
