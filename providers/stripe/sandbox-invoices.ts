import type { Act } from './sandbox-acts.ts'
import {
  type BillingReason,
  type Invoice,
  type LineSource,
  newInvoice,
  newInvoiceItem,
  newInvoiceLine,
  newInvoicePayment,
  type Period,
  type Subscription,
} from './sandbox-billing-objects.ts'
import { isHardDecline } from './sandbox-cards.ts'
import { type CardError, newPaymentIntent, type PaymentIntent } from './sandbox-money-objects.ts'
import type { PaymentMethod, Price } from './sandbox-objects.ts'
import { defaultMethod, pay } from './sandbox-payments.ts'
import { invalid } from './sandbox-refusals.ts'
import { afterClosing, afterFailure, afterPayment, giveUp, nextAttempt, subscriptionOf } from './sandbox-statuses.ts'
import { type Metadata, newId, own } from './sandbox-values.ts'

/** A draft that Stripe made by itself waits so long before it is collected. */
export const draftSeconds = 3_600

interface Draft {
  subscription: Subscription
  reason: BillingReason
  lines: LineSource[]
  period: Period
  /** Null: waits for somebody to finalise it. */
  finalizesAt: number | null
}

/** An invoice for a subscription, with all that has been waiting for its next one. */
export function draftInvoice(act: Act, { subscription, reason, lines, period, finalizesAt }: Draft): Invoice {
  const id = newId('in')
  const customer = act.need('customer', subscription.customer)
  const waiting = act.store
    .list('invoiceitem', customer.id)
    .filter((item) => item.invoice === null && item[own].source.of?.subscription === subscription.id)
  for (const item of waiting) act.save({ ...item, invoice: id })
  const draft = newInvoice(act.now(customer.id), {
    id,
    customer,
    subscription,
    reason,
    currency: subscription.currency,
    lines: [
      ...waiting.map((item) => newInvoiceLine(id, subscription.currency, item[own].source, item.id)),
      ...lines.map((line) => newInvoiceLine(id, subscription.currency, line, null)),
    ],
    period,
  })
  const auto = { auto_advance: finalizesAt !== null, automatically_finalizes_at: finalizesAt }
  return act.save({ ...due(draft, customer.balance), ...auto }, 'invoice.created')
}

/** An invoice by itself; nothing is on it yet, and nobody collects it. */
export function begin(
  act: Act,
  given: { customer: string; currency: string; isAutomatic: boolean; metadata: Metadata; description: string | null },
): Invoice {
  const customer = act.need('customer', given.customer, 'customer')
  const now = act.now(customer.id)
  const { currency, metadata, description } = given
  const about = { id: newId('in'), customer, subscription: null, reason: 'manual' as const, lines: [] }
  const draft = newInvoice(now, { ...about, currency, metadata, description, period: { start: now, end: now } })
  const auto = {
    auto_advance: given.isAutomatic,
    automatically_finalizes_at: given.isAutomatic ? now + draftSeconds : null,
  }
  return act.save({ ...due(draft, customer.balance), ...auto }, 'invoice.created')
}

/** Puts something that is bought once on a draft. */
export function addItem(
  act: Act,
  draft: Invoice,
  { price, quantity, metadata }: { price: Price; quantity: number; metadata: Metadata },
) {
  if (draft.status !== 'draft') throw invalid('The invoice is no longer editable.', { code: 'invoice_not_editable' })
  if (price.recurring) throw invalid('The price specified is recurring.', { param: 'pricing[price]' })
  if (price.currency !== draft.currency) {
    throw invalid('The price has another currency than the invoice.', { param: 'pricing[price]' })
  }
  const customer = act.need('customer', draft.customer)
  const now = act.now(customer.id)
  const source: LineSource = {
    amount: (price.unit_amount ?? 0) * quantity,
    description: act.store.get('product', price.product)?.name ?? price.id,
    price,
    quantity,
    period: { start: now, end: now },
    isProration: false,
    of: null,
  }
  const made = newInvoiceItem(now, { customer: customer.id, testClock: customer.test_clock, source, metadata })
  const item = act.save({ ...made, invoice: draft.id }, 'invoiceitem.created')
  const line = newInvoiceLine(draft.id, draft.currency, source, item.id)
  const total = draft.total + line.amount
  const sums = { subtotal: total, subtotal_excluding_tax: total, total, total_excluding_tax: total }
  const lines = { ...draft.lines, data: [...draft.lines.data, line] }
  act.save({ ...due({ ...draft, ...sums, lines }, customer.balance) }, 'invoice.updated')
  return item
}

/** What is to be paid after what the customer has to their credit, or owes. */
function due(invoice: Invoice, balance: number): Invoice {
  const amount = Math.max(0, invoice.total + balance)
  return { ...invoice, starting_balance: balance, amount_due: amount, amount_remaining: amount }
}

/** Makes a draft an invoice: with a number, and no longer to be changed. One over nothing is paid with that. */
export function finalize(act: Act, draft: Invoice): Invoice {
  if (draft.status !== 'draft') throw invalid('This invoice is already finalized.', { code: 'invoice_not_editable' })
  const now = act.now(draft.customer)
  const customer = act.need('customer', draft.customer)
  const open = due(draft, customer.balance)
  const balance = Math.min(0, open.total + customer.balance)
  const number = `${customer.invoice_prefix}-${String(customer.next_invoice_sequence).padStart(4, '0')}`
  const sequence = customer.next_invoice_sequence + 1
  const billed = { ...customer, balance, currency: open.currency, next_invoice_sequence: sequence }
  if (balance === customer.balance) act.save(billed)
  else act.save(billed, 'customer.updated')
  const page = `https://invoice.stripe.com/i/sandbox/${draft.id}`
  const finalized = act.save<Invoice>(
    {
      ...open,
      automatically_finalizes_at: null,
      effective_at: now,
      ending_balance: balance,
      hosted_invoice_url: page,
      invoice_pdf: `${page}/pdf`,
      number,
      status: 'open',
      status_transitions: { ...open.status_transitions, finalized_at: now },
    },
    'invoice.finalized',
  )
  if (finalized.amount_due === 0) return settlePaid(act, finalized)
  openPayment(act, finalized)
  return finalized
}

function openPayment(act: Act, invoice: Invoice): void {
  const about = { amount: invoice.amount_due, currency: invoice.currency, customer: invoice.customer }
  const intent = newPaymentIntent(act.now(invoice.customer), { ...about, receiptEmail: invoice.customer_email })
  act.save({ ...intent, [own]: { ...intent[own], invoice: invoice.id } }, 'payment_intent.created')
  act.save(newInvoicePayment(act.now(invoice.customer), invoice, intent.id))
}

function intentOf(act: Act, invoice: Invoice): PaymentIntent | undefined {
  return act.store.list('payment_intent', invoice.customer).findLast((one) => one[own].invoice === invoice.id)
}

interface Trying {
  /** Else what the subscription or the customer has. */
  method?: PaymentMethod | undefined
  isPersonThere: boolean
  /** Of the account's schedule; after the first, only such attempts count. */
  isScheduled: boolean
}

interface Collected {
  invoice: Invoice
  /** The bank's no, or that there is nothing to collect it by. */
  error: CardError | null
  intent: PaymentIntent | null
}

/** Tries to collect an open invoice. */
export function collect(act: Act, open: Invoice, { method: given, isPersonThere, isScheduled }: Trying): Collected {
  const method = given ?? methodFor(act, open)
  const intent = intentOf(act, open)
  const counts = isScheduled || open.attempt_count === 0
  const counted = counts ? { attempt_count: open.attempt_count + 1, next_payment_attempt: null } : {}
  const tried = act.save<Invoice>({ ...open, ...counted, attempted: true })
  if (!intent || !method) return { invoice: afterFailure(act, tried), error: noMethod, intent: null }
  const { intent: paid, error } = pay(act, intent, method, isPersonThere)
  if (paid.status === 'succeeded') return { invoice: settlePaid(act, tried), error: null, intent: paid }
  if (paid.status === 'requires_action' || error?.code === 'authentication_required') {
    act.save(tried, 'invoice.payment_action_required')
  }
  return { invoice: error ? afterFailure(act, tried) : tried, error, intent: paid }
}

function methodFor(act: Act, invoice: Invoice): PaymentMethod | null {
  const subscription = subscriptionOf(act, invoice)
  return defaultMethod(act, invoice.customer, invoice.default_payment_method, subscription?.default_payment_method)
}

/** Stripe's own next try: a card whose bank has said a final no is not asked again, though the schedule goes on. */
export function retry(act: Act, open: Invoice): void {
  const last = intentOf(act, open)?.latest_charge
  const charge = last ? act.store.get('charge', last) : undefined
  const isFinal = charge !== undefined && isHardDecline(charge.outcome.reason ?? '')
  if (!isFinal || methodFor(act, open)?.id !== charge.payment_method) {
    collect(act, open, { isPersonThere: false, isScheduled: true })
    return
  }
  const counted = { ...open, attempt_count: open.attempt_count + 1 }
  const skipped = act.save({ ...counted, next_payment_attempt: nextAttempt(act, counted) }, 'invoice.updated')
  const subscription = subscriptionOf(act, open)
  if (subscription && skipped.next_payment_attempt === null) giveUp(act, subscription)
}

const noMethod: CardError = {
  type: 'card_error',
  code: 'missing',
  message: 'Cannot charge a customer that has no active card',
}

/** The invoice is paid, by a payment or because nothing is due. */
export function settlePaid(act: Act, open: Invoice): Invoice {
  const now = act.now(open.customer)
  const paid: Invoice = {
    ...open,
    amount_paid: open.amount_due,
    amount_remaining: 0,
    attempted: true,
    auto_advance: false,
    next_payment_attempt: null,
    status: 'paid',
    status_transitions: { ...open.status_transitions, paid_at: now },
  }
  for (const payment of act.store.list('invoice_payment', open.customer)) {
    if (payment.invoice !== open.id) continue
    const transitions = { ...payment.status_transitions, paid_at: now }
    const settled = { amount_paid: open.amount_due, status: 'paid' as const, status_transitions: transitions }
    act.save({ ...payment, ...settled }, 'invoice_payment.paid')
  }
  act.save(paid, 'invoice.updated', 'invoice.paid', 'invoice.payment_succeeded')
  afterPayment(act, paid)
  return paid
}

/** Nothing more is collected for it. */
export function close(act: Act, invoice: Invoice, status: 'void' | 'uncollectible'): Invoice {
  if (invoice.status !== 'open' && !(invoice.status === 'uncollectible' && status === 'void')) {
    throw invalid(`You can only pass in open invoices. This invoice isn't open.`)
  }
  const now = act.now(invoice.customer)
  const isVoid = status === 'void'
  const transitions = {
    ...invoice.status_transitions,
    ...(isVoid ? { voided_at: now } : { marked_uncollectible_at: now }),
  }
  const closed: Invoice = { ...invoice, auto_advance: false, next_payment_attempt: null, status }
  const saved = act.save(
    { ...closed, status_transitions: transitions },
    'invoice.updated',
    isVoid ? 'invoice.voided' : 'invoice.marked_uncollectible',
  )
  const intent = intentOf(act, invoice)
  if (isVoid && intent && intent.status !== 'succeeded') {
    const cancelled = { status: 'canceled' as const, canceled_at: now, cancellation_reason: 'void_invoice' as const }
    act.save({ ...intent, ...cancelled }, 'payment_intent.canceled')
  }
  afterClosing(act, saved)
  return saved
}
