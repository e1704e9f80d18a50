import type { Price } from './sandbox-objects.ts'
import { listOf, type Metadata, newId, oneOf, orNull, own } from './sandbox-values.ts'

export type Subscription = ReturnType<typeof newSubscription>
export type SubscriptionItem = ReturnType<typeof newSubscriptionItem>
export type Invoice = ReturnType<typeof newInvoice>
type InvoiceLine = ReturnType<typeof newInvoiceLine>
export type InvoiceItem = ReturnType<typeof newInvoiceItem>
export type InvoicePayment = ReturnType<typeof newInvoicePayment>

export const subscriptionStatuses = [
  'incomplete',
  'incomplete_expired',
  'trialing',
  'active',
  'past_due',
  'canceled',
  'unpaid',
  'paused',
] as const
export type SubscriptionStatus = (typeof subscriptionStatuses)[number]

/** Whether nothing happens to it any more. */
export function isOver({ status }: { status: SubscriptionStatus }): boolean {
  return status === 'canceled' || status === 'incomplete_expired'
}

export type MissingPaymentMethod = 'create_invoice' | 'pause' | 'cancel'
export type BillingReason = 'subscription_create' | 'subscription_cycle' | 'subscription_update' | 'manual'
export type PaymentBehavior =
  | 'allow_incomplete'
  | 'default_incomplete'
  | 'error_if_incomplete'
  | 'pending_if_incomplete'

export interface Period {
  start: number
  end: number
}

export function newSubscriptionItem(
  created: number,
  given: { subscription: string; price: Price; quantity: number; period: Period; metadata?: Metadata | undefined },
) {
  return {
    id: newId('si'),
    object: 'subscription_item' as const,
    billing_thresholds: null,
    created,
    current_period_end: given.period.end,
    current_period_start: given.period.start,
    discounts: [],
    metadata: given.metadata ?? {},
    price: given.price,
    quantity: given.quantity,
    subscription: given.subscription,
    tax_rates: [],
  }
}

export interface NewSubscription {
  id: string
  customer: string
  currency: string
  items: SubscriptionItem[]
  anchor: number
  trialEnd: number | null
  defaultPaymentMethod: string | null
  metadata: Metadata
  description: string | null
  missingPaymentMethod: MissingPaymentMethod
  testClock: string | null
}

export function newSubscription(created: number, given: NewSubscription) {
  return {
    id: given.id,
    object: 'subscription' as const,
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: given.anchor,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'classic' as const },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: orNull<number>(null),
    cancel_at_period_end: false,
    canceled_at: orNull<number>(null),
    cancellation_details: { comment: orNull<string>(null), feedback: null, reason: orNull<string>(null) },
    collection_method: 'charge_automatically' as const,
    created,
    currency: given.currency,
    customer: given.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: given.defaultPaymentMethod,
    default_source: null,
    default_tax_rates: [],
    description: given.description,
    discounts: [],
    ended_at: orNull<number>(null),
    invoice_settings: { account_tax_ids: null, issuer: { type: 'self' as const } },
    items: listOf(`/v1/subscription_items?subscription=${given.id}`, given.items),
    latest_invoice: orNull<string>(null),
    livemode: false,
    metadata: given.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: orNull<{ behavior: 'keep_as_draft' | 'mark_uncollectible' | 'void'; resumes_at: number | null }>(
      null,
    ),
    payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: orNull<PendingUpdate>(null),
    schedule: null,
    start_date: created,
    status: oneOf<SubscriptionStatus>('active'),
    test_clock: given.testClock,
    transfer_data: null,
    trial_end: given.trialEnd,
    trial_settings: { end_behavior: { missing_payment_method: given.missingPaymentMethod } },
    trial_start: given.trialEnd === null ? null : created,
    [own]: {
      hasToldTrialEnd: false,
      /** The end of the period whose renewal was told beforehand. */
      toldRenewalOf: orNull<number>(null),
    },
  }
}

interface PendingUpdate {
  billing_cycle_anchor: number | null
  expires_at: number
  subscription_items: SubscriptionItem[]
  trial_end: number | null
  trial_from_plan: null
}

export interface LineSource {
  amount: number
  description: string
  price: Price
  quantity: number
  period: Period
  isProration: boolean
  /** The subscription and its item that it is for; null: it is bought once. */
  of: { subscription: string; item: string } | null
}

/** `invoiceItem` where the line comes of one. */
export function newInvoiceLine(invoice: string, currency: string, source: LineSource, invoiceItem: string | null) {
  const { amount, isProration: proration } = source
  return {
    id: newId('il'),
    object: 'line_item' as const,
    amount,
    currency,
    description: source.description,
    discount_amounts: [],
    discountable: !proration,
    discounts: [],
    invoice,
    livemode: false,
    metadata: {},
    parent: parentOf(source, invoiceItem),
    period: source.period,
    pretax_credit_amounts: [],
    pricing: pricingOf(source.price),
    quantity: source.quantity,
    quantity_decimal: String(source.quantity),
    subscription: source.of?.subscription ?? null,
    subtotal: amount,
    taxes: [],
  }
}

function parentOf({ of, isProration: proration }: LineSource, invoiceItem: string | null) {
  const details = { proration, proration_details: { credited_items: null } }
  return {
    invoice_item_details:
      of || invoiceItem === null ? null : { ...details, invoice_item: invoiceItem, subscription: null },
    subscription_item_details: of && {
      ...details,
      invoice_item: invoiceItem,
      subscription: of.subscription,
      subscription_item: of.item,
    },
    type: of ? ('subscription_item_details' as const) : ('invoice_item_details' as const),
  }
}

function pricingOf({ id, product, unit_amount_decimal }: Price) {
  return { price_details: { price: id, product }, type: 'price_details' as const, unit_amount_decimal }
}

export interface NewInvoiceItem {
  customer: string
  testClock: string | null
  source: LineSource
  metadata?: Metadata | undefined
}

/** Waits for the next invoice of its subscription, or is put on one. */
export function newInvoiceItem(date: number, { customer, testClock, source, metadata = {} }: NewInvoiceItem) {
  const { amount, description, period, price, quantity, isProration, of } = source
  return {
    id: newId('ii'),
    object: 'invoiceitem' as const,
    amount,
    currency: price.currency,
    customer,
    customer_account: null,
    date,
    description,
    discountable: !isProration,
    discounts: [],
    invoice: orNull<string>(null),
    livemode: false,
    metadata,
    net_amount: amount,
    parent: of && {
      subscription_details: { subscription: of.subscription },
      type: 'subscription_details' as const,
    },
    period,
    pricing: pricingOf(price),
    proration: isProration,
    quantity,
    quantity_decimal: String(quantity),
    tax_rates: [],
    test_clock: testClock,
    [own]: { source },
  }
}

export interface NewInvoice {
  id: string
  customer: { id: string; email: string | null; name: string | null; phone: string | null; test_clock: string | null }
  subscription: { id: string; metadata: Metadata } | null
  reason: BillingReason
  currency: string
  lines: InvoiceLine[]
  period: Period
  metadata?: Metadata | undefined
  description?: string | null | undefined
}

/** A draft. */
export function newInvoice(created: number, given: NewInvoice) {
  const { id, customer, subscription } = given
  const total = given.lines.reduce((sum, { amount }) => sum + amount, 0)
  return {
    id,
    object: 'invoice' as const,
    account_country: 'US',
    account_name: 'Sandbox',
    account_tax_ids: null,
    amount_due: Math.max(0, total),
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    amount_remaining: Math.max(0, total),
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: orNull<number>(null),
    billing_reason: given.reason,
    collection_method: 'charge_automatically' as const,
    created,
    currency: given.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: null,
    customer_email: customer.email,
    customer_name: customer.name,
    customer_phone: customer.phone,
    customer_shipping: null,
    customer_tax_exempt: 'none' as const,
    customer_tax_ids: [],
    default_payment_method: orNull<string>(null),
    default_source: null,
    default_tax_rates: [],
    description: given.description ?? null,
    discounts: [],
    due_date: null,
    effective_at: orNull<number>(null),
    ending_balance: orNull<number>(null),
    footer: null,
    from_invoice: null,
    hosted_invoice_url: orNull<string>(null),
    invoice_pdf: orNull<string>(null),
    issuer: { type: 'self' as const },
    last_finalization_error: null,
    latest_revision: null,
    lines: listOf(`/v1/invoices/${id}/lines`, given.lines),
    livemode: false,
    metadata: given.metadata ?? {},
    next_payment_attempt: orNull<number>(null),
    number: orNull<string>(null),
    on_behalf_of: null,
    parent: subscription && {
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
      type: 'subscription_details' as const,
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: given.period.end,
    period_start: given.period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: oneOf<'draft' | 'open' | 'paid' | 'uncollectible' | 'void'>('draft'),
    status_transitions: {
      finalized_at: orNull<number>(null),
      marked_uncollectible_at: orNull<number>(null),
      paid_at: orNull<number>(null),
      voided_at: orNull<number>(null),
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: customer.test_clock,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: created,
  }
}

export function newInvoicePayment(created: number, invoice: Invoice, paymentIntent: string) {
  return {
    id: newId('inpay'),
    object: 'invoice_payment' as const,
    amount_paid: orNull<number>(null),
    amount_requested: invoice.amount_due,
    created,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: paymentIntent, type: 'payment_intent' as const },
    status: oneOf<'open' | 'paid' | 'canceled'>('open'),
    status_transitions: { canceled_at: orNull<number>(null), paid_at: orNull<number>(null) },
    [own]: { customer: invoice.customer },
  }
}
