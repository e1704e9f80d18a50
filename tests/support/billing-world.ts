import {
  type Act,
  type BillingDecision,
  type BillingFacts,
  type BillingMemory,
  type BillingSituation,
  type CreditWatch,
  type OpenInvoice,
  operatorSwitches,
  type SubscriptionFacts,
  stripeStatuses,
  type Timer,
  takenBackBy,
} from '../../workflows/contracts/subscriptions.ts'
import {
  began,
  calls,
  dayMs,
  failedInvoice,
  forgotten,
  nothing,
  oldCard,
  paidPeriod,
  situation,
  subscription,
  topUpCalls,
} from './billing-situations.ts'

export const kindsOfHappening = [
  'status',
  'period',
  'trial',
  'cancel',
  'pauseCollection',
  'invoiceFails',
  'invoicePaid',
  'newCard',
  'noCard',
  'disputeOpens',
  'disputeMoves',
  'refund',
  'refundFails',
  'disputeTurns',
  'switch',
  'change',
  'moveTimer',
  'useCredits',
  'buyCredits',
  'creditPeriod',
  'topUp',
] as const

/** What happens to an organisation, hours after the story began; `pick` chooses among what there is. */
export interface Happening {
  is: (typeof kindsOfHappening)[number]
  hours: number
  pick: number
}

interface Chance {
  at: number
  /** A number of days, 1 to 40. */
  spanMs: number
  pick: number
  among: <T>(all: readonly T[]) => T | undefined
  timers: readonly Timer[]
}

/** An organisation at Stripe and what we remember of it. It obeys what is decided; every other card is good. */
export class BillingWorld {
  facts: BillingFacts = {
    ...nothing,
    card: oldCard,
    subscriptions: [subscription(), subscription({ id: 'sub_2', status: 'canceled', endedAt: began })],
  }
  memory: BillingMemory = forgotten
  credits: CreditWatch = { accounts: [calls()], topUps: [topUpCalls({ threshold: 50 })], attempts: [] }
  private made = 0

  at(now: number): BillingSituation {
    return { ...situation(this.facts, now, this.memory), credits: this.credits }
  }

  happen({ is, pick }: Happening, at: number, { timers }: BillingDecision): void {
    const among = <T>(all: readonly T[]): T | undefined => all[pick % all.length]
    happenings[is](this, { at, spanMs: ((pick % 40) + 1) * dayMs, pick, among, timers })
  }

  remember({ subscriptions }: BillingDecision): void {
    const overdue = subscriptions.flatMap(({ id, overdueSince }) => (overdueSince === null ? [] : [[id, overdueSince]]))
    this.memory = { ...this.memory, overdueSince: Object.fromEntries(overdue) }
  }

  /** Throws for what was done before. */
  act(act: Act, at: number): void {
    const { memory } = this
    if (memory.done.includes(act.key)) throw new Error(`${act.key} comes twice`)
    const takenBack = [...memory.takenBack, ...takenBackBy(act)]
    this.memory = { ...memory, done: [...memory.done, act.key], takenBack }
    if (act.is === 'change_plan') {
      this.memory.changes = memory.changes.filter(({ id }) => id !== act.changeId)
    } else if (act.is === 'charge') {
      const { invoiceId, cardId } = act
      this.memory.charges = [...memory.charges, { invoiceId, cardId, at }]
      if (Number(cardId.slice(3)) % 2 === 0) this.pay(invoiceId, at)
      else this.changeInvoice(invoiceId, { lastAttemptAt: at, lastAttemptCardId: cardId, declineCode: 'do_not_honor' })
    } else if (act.is === 'top_up') {
      const hasFailed = Number(this.facts.card?.id.slice(3)) % 2 !== 0
      this.credits = { ...this.credits, attempts: [...this.credits.attempts, { type: act.type, at, hasFailed }] }
      if (!hasFailed) this.addCalls(act.quantity * 10)
    }
  }

  /** Bought in the middle of a period, or burned. */
  addCalls(amount: number): void {
    const accounts = this.credits.accounts.map((one) => {
      const balance = one.balance + amount
      const periodGranted = one.periodGranted + Math.max(0, amount)
      const shares = [50, 20, 0].filter((share) => amount < 0 && balance * 100 <= share * periodGranted)
      return { ...one, balance, periodGranted, fallenTo: Math.min(one.fallenTo, ...shares) }
    })
    this.credits = { ...this.credits, accounts }
  }

  name(kind: string): string {
    this.made += 1
    return `${kind}_${this.made}`
  }

  pay(invoiceId: string, paidAt: number): void {
    const { openInvoices, payments } = this.facts
    const invoice = openInvoices.find(({ id }) => id === invoiceId)
    if (!invoice) throw new Error('an invoice that is not open was charged')
    const startsAt = invoice.overdueSince ?? paidAt
    const line = paidPeriod({
      subscription: {
        id: invoice.subscriptionId ?? '',
        every: 'P1M',
        anchoredAt: began,
        period: { startsAt, endsAt: startsAt + 30 * dayMs },
      },
    })
    const left = openInvoices.filter(({ id }) => id !== invoiceId)
    this.facts = {
      ...this.facts,
      openInvoices: left,
      payments: [...payments, { id: invoiceId, paidAt, amount: invoice.amountDue, currency: 'USD', lines: [line] }],
    }
    const isLast = left.every(({ subscriptionId }) => subscriptionId !== invoice.subscriptionId)
    if (isLast) this.changeSubscription(invoice.subscriptionId ?? '', { status: 'active' })
  }

  changeInvoice(invoiceId: string, to: Partial<OpenInvoice>): void {
    const openInvoices = this.facts.openInvoices.map((one) => (one.id === invoiceId ? { ...one, ...to } : one))
    this.facts = { ...this.facts, openInvoices }
  }

  changeSubscription(subscriptionId: string, to: Partial<SubscriptionFacts>): void {
    const subscriptions = this.facts.subscriptions.map((one) => (one.id === subscriptionId ? { ...one, ...to } : one))
    this.facts = { ...this.facts, subscriptions }
  }
}

const happenings: Record<Happening['is'], (world: BillingWorld, chance: Chance) => void> = {
  status: (world, { at, pick, among }) => {
    const status = stripeStatuses[Math.floor(pick / 2) % stripeStatuses.length] ?? 'active'
    world.changeSubscription(oneOf(world, among).id, { status, endedAt: status === 'canceled' ? at : null })
  },
  period: (world, { at, spanMs, pick, among }) => {
    const planKey = among(['scout', 'hunter', 'hasty', 'unheard-of']) ?? ''
    const period = { startsAt: at, endsAt: at + spanMs }
    const items = [{ planKey, every: pick % 3 === 0 ? ('P1Y' as const) : ('P1M' as const), period }]
    world.changeSubscription(oneOf(world, among).id, { items })
  },
  trial: (world, { at, spanMs, pick, among }) => {
    const isOver = pick % 4 === 0
    const trialEndsAt = isOver ? at : at + spanMs
    const status = isOver ? 'paused' : 'trialing'
    world.changeSubscription(oneOf(world, among).id, { status, startedAt: at, trialEndsAt })
  },
  cancel: (world, { at, spanMs, among }) => {
    const { id, cancelsAt } = oneOf(world, among)
    world.changeSubscription(id, { cancelsAt: cancelsAt === null ? at + spanMs : null })
  },
  pauseCollection: (world, { at, spanMs, pick, among }) => {
    const { id, collectionPaused } = oneOf(world, among)
    const resumesAt = pick % 3 === 0 ? null : at + spanMs
    world.changeSubscription(id, { collectionPaused: collectionPaused === null ? { resumesAt } : null })
  },
  invoiceFails: (world, { at, pick, among }) => {
    const { openInvoices } = world.facts
    const open = pick % 3 === 0 ? undefined : among(openInvoices)
    const id = open?.id ?? world.name('in')
    if (!open) {
      const subscriptionId = oneOf(world, among).id
      const opened = failedInvoice({ id, subscriptionId, overdueSince: at })
      world.facts = { ...world.facts, openInvoices: [...openInvoices, opened] }
      world.changeSubscription(subscriptionId, { status: pick % 5 === 0 ? 'unpaid' : 'past_due' })
    }
    world.changeInvoice(id, {
      lastAttemptAt: at,
      lastAttemptCardId: among([world.facts.card?.id ?? null, oldCard.id, null]) ?? null,
      nextAttemptAt: pick % 2 === 0 ? null : at + 3 * dayMs,
      declineCode: pick % 7 === 0 ? 'lost_card' : 'insufficient_funds',
    })
  },
  invoicePaid: (world, { at, among }) => {
    const open = among(world.facts.openInvoices)
    if (open) world.pay(open.id, at)
  },
  newCard: (world, { at, spanMs }) => {
    world.facts = { ...world.facts, card: { id: world.name('pm'), expiresAt: at + 2 * spanMs, defaultSince: at } }
  },
  noCard: (world) => {
    world.facts = { ...world.facts, card: null }
  },
  disputeOpens: (world, { at, spanMs, pick, among }) => {
    const { disputes, payments } = world.facts
    const opened = {
      id: world.name('dp'),
      paymentId: among(payments)?.id ?? null,
      amount: 5_000,
      status: 'needs_response' as const,
      openedAt: at,
      evidenceDueAt: pick % 6 === 0 ? null : at + spanMs,
    }
    world.facts = { ...world.facts, disputes: [...disputes, opened] }
  },
  disputeMoves: (world, { among }) => {
    const { disputes } = world.facts
    const moving = among(disputes.filter(({ status }) => status === 'needs_response' || status === 'under_review'))
    const status = among(['under_review', 'won', 'lost', 'closed'] as const) ?? 'won'
    world.facts = { ...world.facts, disputes: disputes.map((one) => (one === moving ? { ...one, status } : one)) }
  },
  refund: (world, { at, pick, among }) => {
    const payment = among(world.facts.payments)
    if (!payment) return
    const refund = { id: world.name('re'), paymentId: payment.id, amount: pick * 7, status: 'succeeded' as const, at }
    world.facts = { ...world.facts, refunds: [...world.facts.refunds, refund] }
  },
  refundFails: (world, { among }) => {
    const { refunds } = world.facts
    const failing = among(refunds.filter(({ status }) => status === 'succeeded'))
    world.facts = {
      ...world.facts,
      refunds: refunds.map((one) => (one === failing ? { ...one, status: 'failed' as const } : one)),
    }
  },
  disputeTurns: (world, { pick, among }) => {
    const { disputes } = world.facts
    const turning = among(disputes.filter(({ status }) => status === 'lost' || status === 'won'))
    const status = pick % 2 === 0 ? 'won' : 'under_review'
    world.facts = { ...world.facts, disputes: disputes.map((one) => (one === turning ? { ...one, status } : one)) }
  },
  switch: (world, { among }) => {
    const which = among(operatorSwitches) ?? 'noDunning'
    const { [which]: on, ...others } = world.memory.switches
    const switches = on ? others : { ...others, [which]: { reason: 'asked for', author: 'operator' } }
    world.memory = { ...world.memory, switches }
  },
  change: (world, { at, spanMs, among }) => {
    const change = { id: world.name('change'), subscriptionId: oneOf(world, among).id, at: at + spanMs }
    world.memory = { ...world.memory, changes: [change] }
  },
  moveTimer: (world, { at, pick, among, timers }) => {
    const timer = among(timers.filter(({ isMovable }) => isMovable))
    if (!timer) return
    const movedTimers = { ...world.memory.movedTimers, [timer.key]: at + (pick % 20) * dayMs }
    world.memory = { ...world.memory, movedTimers }
  },
  useCredits: (world, { pick }) => world.addCalls(-(pick % 90)),
  buyCredits: (world, { pick }) => world.addCalls(pick % 60),
  creditPeriod: (world, { at }) => {
    world.credits = { ...world.credits, accounts: [calls({ periodBeganAt: at })] }
  },
  topUp: (world, { pick }) => {
    const topUps = pick % 4 === 0 ? [] : [topUpCalls({ mostPerMonth: (pick % 3) + 1, threshold: pick % 50 })]
    world.credits = { ...world.credits, topUps }
  },
}

function oneOf({ facts }: BillingWorld, among: Chance['among']): SubscriptionFacts {
  const one = among(facts.subscriptions)
  if (!one) throw new Error('there are always two')
  return one
}
