import { noBillingDetails, type PaymentMethod } from './sandbox-objects.ts'
import { type Metadata, newId, oneOf, orNull, own } from './sandbox-values.ts'

export type PaymentIntent = ReturnType<typeof newPaymentIntent>
export type Charge = ReturnType<typeof newCharge>
export type Refund = ReturnType<typeof newRefund>
export type Dispute = ReturnType<typeof newDispute>

/** A bank's no, as Stripe tells it. */
export interface CardError {
  type: 'card_error'
  code: string
  decline_code?: string
  message: string
  advice_code?: 'confirm_card_data' | 'do_not_try_again' | 'try_again_later'
}

export interface NewPaymentIntent {
  amount: number
  currency: string
  customer: string | null
  description?: string | null | undefined
  metadata?: Metadata | undefined
  receiptEmail?: string | null | undefined
  futureUsage?: 'off_session' | 'on_session' | null | undefined
}

export function newPaymentIntent(created: number, given: NewPaymentIntent) {
  const id = newId('pi')
  return {
    id,
    object: 'payment_intent' as const,
    amount: given.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: orNull<number>(null),
    cancellation_reason: orNull<'void_invoice' | 'requested_by_customer'>(null),
    capture_method: 'automatic' as const,
    client_secret: `${id}_secret_sandbox`,
    confirmation_method: 'automatic' as const,
    created,
    currency: given.currency,
    customer: given.customer,
    description: given.description ?? null,
    last_payment_error: orNull<CardError>(null),
    latest_charge: orNull<string>(null),
    livemode: false,
    metadata: given.metadata ?? {},
    next_action: orNull<{ type: 'redirect_to_url'; redirect_to_url: { return_url: null; url: string } }>(null),
    on_behalf_of: null,
    payment_method: orNull<string>(null),
    payment_method_options: {},
    payment_method_types: ['card'],
    processing: null,
    receipt_email: given.receiptEmail ?? null,
    review: null,
    setup_future_usage: given.futureUsage ?? null,
    shipping: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: oneOf<'requires_payment_method' | 'requires_confirmation' | 'requires_action' | 'succeeded' | 'canceled'>(
      'requires_payment_method',
    ),
    transfer_data: null,
    transfer_group: null,
    [own]: { invoice: orNull<string>(null), session: orNull<string>(null) },
  }
}

export function newCharge(created: number, intent: PaymentIntent, method: PaymentMethod, error: CardError | null) {
  const { card } = method
  const id = newId('ch')
  return {
    id,
    object: 'charge' as const,
    amount: intent.amount,
    amount_captured: error ? 0 : intent.amount,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: error ? null : newId('txn'),
    billing_details: noBillingDetails,
    calculated_statement_descriptor: 'SANDBOX',
    captured: error === null,
    created,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: error?.code ?? null,
    failure_message: error?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: outcomeOf(error),
    paid: error === null,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: {
      card: {
        amount_authorized: error ? null : intent.amount,
        brand: card.brand,
        checks: card.checks,
        country: card.country,
        exp_month: card.exp_month,
        exp_year: card.exp_year,
        fingerprint: card.fingerprint,
        funding: card.funding,
        installments: null,
        last4: card.last4,
        mandate: null,
        network: card.brand,
        three_d_secure: null,
        wallet: null,
      },
      type: 'card',
    },
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: error ? null : `https://pay.stripe.com/receipts/payment/${id}`,
    refunded: false,
    review: null,
    shipping: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: error ? ('failed' as const) : ('succeeded' as const),
    transfer_data: null,
    transfer_group: null,
  }
}

function outcomeOf(error: CardError | null) {
  return {
    advice_code: error?.advice_code ?? null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: error ? 'declined_by_network' : 'approved_by_network',
    reason: error?.decline_code ?? null,
    risk_level: 'normal',
    risk_score: 10,
    seller_message: error ? 'The bank did not return any further details with this decline.' : 'Payment complete.',
    type: error ? 'issuer_declined' : 'authorized',
  }
}

export interface NewRefund {
  charge: Charge
  amount: number
  reason: 'duplicate' | 'fraudulent' | 'requested_by_customer' | null
  metadata: Metadata
}

export function newRefund(created: number, { charge, amount, reason, metadata }: NewRefund) {
  return {
    id: newId('re'),
    object: 'refund' as const,
    amount,
    balance_transaction: newId('txn'),
    charge: charge.id,
    created,
    currency: charge.currency,
    destination_details: {
      card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
      type: 'card',
    },
    metadata,
    payment_intent: charge.payment_intent,
    reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: oneOf<'succeeded' | 'failed'>('succeeded'),
    transfer_reversal: null,
    [own]: { customer: charge.customer },
  }
}

export interface NewDispute {
  charge: Charge
  amount: number
  reason: string
  dueBy: number
}

/** In cents; charged whoever wins. */
const disputeFee = 1_500

export function newDispute(created: number, { charge, amount, reason, dueBy }: NewDispute) {
  const id = newId('du')
  return {
    id,
    object: 'dispute' as const,
    amount,
    balance_transactions: [newBalanceTransaction(created, id, charge.currency, -amount, disputeFee)],
    charge: charge.id,
    created,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: { ...noEvidence, enhanced_evidence: {} },
    evidence_details: {
      due_by: dueBy,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
    },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      card: {
        brand: charge.payment_method_details.card.brand,
        case_type: 'chargeback' as const,
        network: charge.payment_method_details.card.brand,
        network_reason_code: '10.4',
      },
      type: 'card' as const,
    },
    reason,
    status: oneOf<'needs_response' | 'under_review' | 'won' | 'lost'>('needs_response'),
    [own]: { customer: charge.customer },
  }
}

export function newBalanceTransaction(created: number, source: string, currency: string, amount: number, fee: number) {
  return {
    id: newId('txn'),
    object: 'balance_transaction' as const,
    amount,
    available_on: created,
    balance_type: 'payments' as const,
    created,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0 ? [] : [{ amount: fee, application: null, currency, description: 'Dispute fee', type: 'stripe_fee' }],
    net: amount - fee,
    reporting_category: 'dispute',
    source,
    status: 'available',
    type: 'adjustment' as const,
  }
}

export const evidenceFields = [
  'access_activity_log',
  'billing_address',
  'cancellation_policy_disclosure',
  'cancellation_rebuttal',
  'customer_email_address',
  'customer_name',
  'customer_purchase_ip',
  'duplicate_charge_explanation',
  'duplicate_charge_id',
  'product_description',
  'refund_policy_disclosure',
  'refund_refusal_explanation',
  'service_date',
  'shipping_address',
  'shipping_carrier',
  'shipping_date',
  'shipping_tracking_number',
  'uncategorized_text',
] as const

/** The sandbox takes no files. */
const noEvidence: Record<string, string | null> = Object.fromEntries(
  [
    ...evidenceFields,
    'cancellation_policy',
    'customer_communication',
    'customer_signature',
    'duplicate_charge_documentation',
    'receipt',
    'refund_policy',
    'service_documentation',
    'shipping_documentation',
    'uncategorized_file',
  ].map((field) => [field, null]),
)
