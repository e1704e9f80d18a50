import type { TestCard } from './sandbox-cards.ts'
import { day, type Metadata, maybe, newId, noAddress, oneOf, orNull, own } from './sandbox-values.ts'

/** The objects as Stripe's API has them, in the version of the SDK; each type is what its factory makes. Times in unix seconds. */

export type TestClock = ReturnType<typeof newTestClock>
export type Product = ReturnType<typeof newProduct>
export type Price = ReturnType<typeof newPrice>
export type Customer = ReturnType<typeof newCustomer>
export type PaymentMethod = ReturnType<typeof newPaymentMethod>
export type SetupIntent = ReturnType<typeof newSetupIntent>
export type PortalSession = ReturnType<typeof newPortalSession>
export type MeterEvent = ReturnType<typeof newMeterEvent>

export function newTestClock(created: number, { frozenTime, name }: { frozenTime: number; name: string | null }) {
  return {
    id: newId('clock'),
    object: 'test_helpers.test_clock' as const,
    created,
    deletes_after: created + 30 * day,
    frozen_time: frozenTime,
    livemode: false,
    name,
    status: oneOf<'ready' | 'advancing'>('ready'),
    status_details: maybe<{ advancing: { target_frozen_time: number } }>({}),
  }
}

export interface NewProduct {
  id?: string | undefined
  name: string
  description?: string | undefined
  active?: boolean | undefined
  metadata?: Metadata | undefined
}

export function newProduct(created: number, given: NewProduct) {
  return {
    id: given.id ?? newId('prod'),
    object: 'product' as const,
    active: given.active ?? true,
    created,
    default_price: orNull<string>(null),
    description: given.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: given.metadata ?? {},
    name: given.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    unit_label: null,
    updated: created,
    url: null,
  }
}

export type Interval = 'day' | 'week' | 'month' | 'year'

export interface NewPrice {
  id?: string | undefined
  product: string
  unitAmount: number
  currency: string
  /** Null: paid once. */
  interval: Interval | null
  intervalCount?: number | undefined
  /** Of one that is paid by use: the event that tells of it. */
  meter?: string | undefined
  lookupKey?: string | undefined
  nickname?: string | undefined
  metadata?: Metadata | undefined
}

/** The meter that sums up an event: this sandbox has one for each. */
export const meterOf = (eventName: string): string => `mtr_${eventName}`

export function newPrice(created: number, given: NewPrice) {
  const recurring = given.interval && {
    interval: given.interval,
    interval_count: given.intervalCount ?? 1,
    meter: given.meter === undefined ? null : meterOf(given.meter),
    usage_type: given.meter === undefined ? ('licensed' as const) : ('metered' as const),
  }
  return {
    id: given.id ?? newId('price'),
    object: 'price' as const,
    active: true,
    billing_scheme: 'per_unit' as const,
    created,
    currency: given.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: given.lookupKey ?? null,
    metadata: given.metadata ?? {},
    nickname: given.nickname ?? null,
    product: given.product,
    recurring,
    tax_behavior: 'unspecified' as const,
    tiers_mode: null,
    transform_quantity: null,
    type: recurring ? ('recurring' as const) : ('one_time' as const),
    unit_amount: given.unitAmount,
    unit_amount_decimal: String(given.unitAmount),
  }
}

export interface NewCustomer {
  email?: string | null | undefined
  name?: string | null | undefined
  phone?: string | null | undefined
  description?: string | null | undefined
  metadata?: Metadata | undefined
  testClock?: string | undefined
  defaultPaymentMethod?: string | null | undefined
  balance?: number | undefined
}

export function newCustomer(created: number, given: NewCustomer) {
  const id = newId('cus')
  return {
    id,
    object: 'customer' as const,
    address: null,
    balance: given.balance ?? 0,
    created,
    currency: orNull<string>(null),
    default_source: null,
    delinquent: false,
    description: given.description ?? null,
    discount: null,
    email: given.email ?? null,
    invoice_prefix: id.slice(4, 12).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: given.defaultPaymentMethod ?? null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: given.metadata ?? {},
    name: given.name ?? null,
    next_invoice_sequence: 1,
    phone: given.phone ?? null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none' as const,
    test_clock: given.testClock ?? null,
    [own]: { isDeleted: false },
  }
}

export interface NewPaymentMethod {
  id?: string | undefined
  card: TestCard
  customer?: string | null | undefined
  metadata?: Metadata | undefined
}

/** Expires in three years unless the test card says otherwise. */
export function newPaymentMethod(created: number, { id, card, customer, metadata }: NewPaymentMethod) {
  return {
    id: id ?? newId('pm'),
    object: 'payment_method' as const,
    allow_redisplay: 'unspecified' as const,
    billing_details: noBillingDetails,
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.brand,
      exp_month: 12,
      exp_year: new Date(created * 1000).getUTCFullYear() + 3,
      fingerprint: `card${card.number.slice(-12)}`,
      funding: 'credit',
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated' as const,
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created,
    customer: customer ?? null,
    livemode: false,
    metadata: metadata ?? {},
    type: 'card' as const,
    [own]: {
      number: card.number,
      /** Null: does what its number stands for. Else what its bank has been saying since: 'approved' or a decline code. */
      verdict: orNull<string>(null),
    },
  }
}

export const noBillingDetails = { address: noAddress, email: null, name: null, phone: null, tax_id: null }

export function newSetupIntent(created: number, customer: string | null, metadata: Metadata) {
  const id = newId('seti')
  return {
    id,
    object: 'setup_intent' as const,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_sandbox`,
    created,
    customer,
    description: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    mandate: null,
    metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: orNull<string>(null),
    payment_method_options: { card: { mandate_options: null, network: null, request_three_d_secure: 'automatic' } },
    payment_method_types: ['card'],
    single_use_mandate: null,
    status: oneOf<'requires_payment_method' | 'succeeded' | 'canceled'>('requires_payment_method'),
    usage: 'off_session',
  }
}

export function newPortalSession(created: number, given: { customer: string; returnUrl: string | null }) {
  const id = newId('bps')
  return {
    id,
    object: 'billing_portal.session' as const,
    configuration: 'bpc_sandbox',
    created,
    customer: given.customer,
    customer_account: null,
    flow: null,
    livemode: false,
    locale: null,
    on_behalf_of: null,
    return_url: given.returnUrl,
    url: `https://billing.stripe.com/p/session/${id}`,
  }
}

export interface NewMeterEvent {
  eventName: string
  payload: Metadata
  identifier: string
  timestamp: number
}

export function newMeterEvent(created: number, { eventName, payload, identifier, timestamp }: NewMeterEvent) {
  return {
    object: 'billing.meter_event' as const,
    created,
    event_name: eventName,
    identifier,
    livemode: false,
    payload,
    timestamp,
  }
}
