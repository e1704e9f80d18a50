import type { Price } from './sandbox-objects.ts'
import { type Metadata, newId, noAddress, oneOf, orNull, own } from './sandbox-values.ts'

export type CheckoutSession = ReturnType<typeof newCheckoutSession>
export type CheckoutLine = ReturnType<typeof newCheckoutLine>

export interface NewCheckoutSession {
  mode: 'payment' | 'subscription' | 'setup'
  lines: CheckoutLine[]
  currency: string | null
  customer: string | null
  customerEmail: string | null
  customerCreation: 'always' | 'if_required' | null
  clientReferenceId: string | null
  metadata: Metadata
  successUrl: string | null
  cancelUrl: string | null
  expiresAt: number
  /** What becomes of the subscription, when the session is completed. */
  subscription: {
    trialEndsAfterDays: number | null
    trialEnd: number | null
    metadata: Metadata
    description: string | null
  }
  /** What becomes of the payment. */
  payment: { metadata: Metadata; description: string | null; futureUsage: 'off_session' | 'on_session' | null }
  setup: { metadata: Metadata }
}

export function newCheckoutSession(created: number, given: NewCheckoutSession) {
  const id = newId('cs_test')
  const isDelayed = given.subscription.trialEndsAfterDays !== null || given.subscription.trialEnd !== null
  const total = isDelayed ? 0 : given.lines.reduce((sum, { amount_total }) => sum + amount_total, 0)
  const isSetup = given.mode === 'setup'
  return {
    id,
    object: 'checkout.session' as const,
    after_expiration: null,
    allow_promotion_codes: null,
    amount_subtotal: isSetup ? null : total,
    amount_total: isSetup ? null : total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: given.cancelUrl,
    client_reference_id: given.clientReferenceId,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created,
    currency: given.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: given.customer,
    customer_creation: given.customerCreation,
    customer_details: orNull<ReturnType<typeof customerDetails>>(null),
    customer_email: given.customerEmail,
    discounts: isSetup ? null : [],
    expires_at: given.expiresAt,
    invoice: orNull<string>(null),
    invoice_creation: null,
    livemode: false,
    locale: null,
    metadata: given.metadata,
    mode: given.mode,
    origin_context: null,
    payment_intent: orNull<string>(null),
    payment_link: null,
    payment_method_collection: given.mode === 'subscription' ? ('always' as const) : ('if_required' as const),
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_status: oneOf<'unpaid' | 'paid' | 'no_payment_required'>(
      isSetup || total === 0 ? 'no_payment_required' : 'unpaid',
    ),
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: orNull<string>(null),
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: oneOf<'open' | 'complete' | 'expired'>('open'),
    submit_type: null,
    subscription: orNull<string>(null),
    success_url: given.successUrl,
    total_details: isSetup ? null : { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page' as const,
    url: orNull(`https://checkout.stripe.com/c/pay/${id}`),
    wallet_options: null,
    [own]: { lines: given.lines, subscription: given.subscription, payment: given.payment, setup: given.setup },
  }
}

export function customerDetails({
  email,
  name,
  phone,
}: {
  email: string | null
  name: string | null
  phone: string | null
}) {
  return { address: noAddress, email, name, phone, tax_exempt: 'none' as const, tax_ids: [] }
}

export function newCheckoutLine(price: Price, quantity: number, description: string) {
  const isByUse = price.recurring?.usage_type === 'metered'
  const amount = isByUse ? 0 : (price.unit_amount ?? 0) * quantity
  return {
    id: newId('li'),
    object: 'item' as const,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: price.currency,
    description,
    price,
    quantity,
  }
}
