import { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import { type Invoice, isOver, type Subscription, subscriptionStatuses } from './sandbox-billing-objects.ts'
import { listed, merged, metadata, nothing, orGone, paging, text, whole, yesNo } from './sandbox-forms.ts'
import { addItem, begin, close, collect, draftSeconds, finalize } from './sandbox-invoices.ts'
import { pageOf, partOf } from './sandbox-lists.ts'
import { needAttached } from './sandbox-payments.ts'
import { preview } from './sandbox-previews.ts'
import { declined, invalid } from './sandbox-refusals.ts'
import { type Route, retrieval, route } from './sandbox-routes.ts'
import { end } from './sandbox-statuses.ts'
import { SubscriptionUpdate, updateSubscription } from './sandbox-subscription-updates.ts'
import { resume, subscribe } from './sandbox-subscriptions.ts'
import { day, over } from './sandbox-values.ts'

const behavior = z.enum(['allow_incomplete', 'default_incomplete', 'error_if_incomplete', 'pending_if_incomplete'])
const item = z.strictObject({ price: text, quantity: whole.optional(), metadata: metadata.optional() })

export const billingRoutes: Route[] = [
  route(
    'POST /v1/subscriptions',
    'subscriptions.create',
    z.strictObject({
      customer: text,
      items: listed(item),
      trial_period_days: whole.optional(),
      trial_end: whole.optional(),
      trial_settings: z
        .strictObject({
          end_behavior: z.strictObject({ missing_payment_method: z.enum(['create_invoice', 'pause', 'cancel']) }),
        })
        .optional(),
      default_payment_method: text.optional(),
      payment_behavior: behavior.default('allow_incomplete'),
      cancel_at_period_end: yesNo.optional(),
      off_session: yesNo.optional(),
      description: text.optional(),
      metadata: metadata.optional(),
    }),
    (act, given) => {
      const now = act.now(act.need('customer', given.customer, 'customer').id)
      const days = given.trial_period_days
      return subscribe(act, {
        customer: given.customer,
        items: given.items.map((one) => ({ ...one, metadata: merged({}, one.metadata) })),
        trialEnd: given.trial_end ?? (days === undefined || days === 0 ? null : now + days * day),
        defaultPaymentMethod: given.default_payment_method,
        behavior: given.payment_behavior,
        missingPaymentMethod: given.trial_settings?.end_behavior.missing_payment_method,
        metadata: merged({}, given.metadata),
        description: given.description,
        cancelAtPeriodEnd: given.cancel_at_period_end,
        isPersonThere: !given.off_session,
      })
    },
  ),
  route(
    'GET /v1/subscriptions',
    'subscriptions.list',
    z.strictObject({
      ...paging,
      customer: text.optional(),
      price: text.optional(),
      status: z.enum([...subscriptionStatuses, 'all', 'ended']).optional(),
    }),
    (act, { customer, price, status, ...page }) => {
      const found = act.store
        .list('subscription', customer)
        .filter((one) => isListed(one, status))
        .filter(({ items }) => price === undefined || items.data.some((one) => one.price.id === price))
      return pageOf('/v1/subscriptions', found, page)
    },
  ),
  retrieval('GET /v1/subscriptions/{id}', 'subscriptions.retrieve', 'subscription'),
  route('POST /v1/subscriptions/{id}', 'subscriptions.update', SubscriptionUpdate, (act, given, id) =>
    updateSubscription(act, act.need('subscription', id), given),
  ),
  route(
    'DELETE /v1/subscriptions/{id}',
    'subscriptions.cancel',
    z.strictObject({ invoice_now: yesNo.optional(), prorate: yesNo.optional() }),
    (act, given, id) => cancelNow(act, act.need('subscription', id), given),
  ),
  route(
    'POST /v1/subscriptions/{id}/resume',
    'subscriptions.resume',
    z.strictObject({ billing_cycle_anchor: z.literal('now').optional() }),
    (act, _, id) => resume(act, act.need('subscription', id)),
  ),

  route(
    'GET /v1/invoices',
    'invoices.list',
    z.strictObject({
      ...paging,
      customer: text.optional(),
      subscription: text.optional(),
      status: z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']).optional(),
    }),
    (act, { customer, subscription, status, ...page }) => {
      const owner = customer ?? (subscription && act.store.get('subscription', subscription)?.customer)
      const found = act.store
        .list('invoice', owner)
        .filter((one) => (status ?? one.status) === one.status)
        .filter(
          ({ parent }) => subscription === undefined || parent?.subscription_details.subscription === subscription,
        )
      return pageOf('/v1/invoices', found, page)
    },
  ),
  route(
    'POST /v1/invoices',
    'invoices.create',
    z.strictObject({
      customer: text,
      currency: z.string().length(3),
      auto_advance: yesNo.default(false),
      collection_method: z.literal('charge_automatically').optional(),
      pending_invoice_items_behavior: z.literal('exclude').optional(),
      description: text.optional(),
      metadata: metadata.optional(),
    }),
    (act, { customer, currency, auto_advance: isAutomatic, description = null, metadata: given }) =>
      begin(act, { customer, currency, isAutomatic, description, metadata: merged({}, given) }),
  ),
  route(
    'POST /v1/invoiceitems',
    'invoice_items.create',
    z.strictObject({
      customer: text,
      invoice: text,
      pricing: z.strictObject({ price: text }),
      quantity: whole.default(1),
      metadata: metadata.optional(),
    }),
    (act, { customer, invoice, pricing, quantity, metadata: given }) => {
      const draft = act.need('invoice', invoice, 'invoice')
      if (draft.customer !== customer) throw invalid('The invoice is of another customer.', { param: 'invoice' })
      const price = act.need('price', pricing.price, 'pricing[price]')
      return addItem(act, draft, { price, quantity, metadata: merged({}, given) })
    },
  ),
  route('GET /v1/invoices/{id}/lines', 'invoices.lines', z.strictObject(paging), (act, page, id) =>
    partOf(`/v1/invoices/${id}/lines`, act.need('invoice', id).lines.data, page),
  ),
  route(
    'GET /v1/subscription_items',
    'subscription_items.list',
    z.strictObject({ ...paging, subscription: text }),
    (act, { subscription, ...page }) =>
      partOf('/v1/subscription_items', act.need('subscription', subscription, 'subscription').items.data, page),
  ),
  route('POST /v1/invoices/create_preview', 'invoices.create_preview', preview.parameters, preview.answer),
  retrieval('GET /v1/invoices/{id}', 'invoices.retrieve', 'invoice'),
  route(
    'POST /v1/invoices/{id}',
    'invoices.update',
    z.strictObject({
      auto_advance: yesNo.optional(),
      default_payment_method: orGone(text).optional(),
      description: orGone(text).optional(),
      metadata: metadata.optional(),
    }),
    (act, { metadata: change, ...given }, id) => {
      const invoice = act.need('invoice', id)
      const changed = over(invoice, { ...given, metadata: merged(invoice.metadata, change) })
      const stopped =
        given.auto_advance === false ? { next_payment_attempt: null, automatically_finalizes_at: null } : {}
      return act.save({ ...changed, ...stopped }, 'invoice.updated')
    },
  ),
  route(
    'POST /v1/invoices/{id}/finalize',
    'invoices.finalize',
    z.strictObject({ auto_advance: yesNo.optional() }),
    (act, { auto_advance: wanted }, id) => {
      const draft = act.need('invoice', id)
      const open = finalize(act, { ...draft, auto_advance: wanted ?? draft.auto_advance })
      if (open.status !== 'open' || !open.auto_advance) return open
      return act.save({ ...open, next_payment_attempt: act.now(open.customer) + draftSeconds })
    },
  ),
  route(
    'POST /v1/invoices/{id}/pay',
    'invoices.pay',
    z.strictObject({
      payment_method: text.optional(),
      off_session: yesNo.optional(),
      paid_out_of_band: z.literal('false').optional(),
    }),
    (act, { payment_method: card, off_session: isAway = true }, id) =>
      payNow(act, act.need('invoice', id), card, !isAway),
  ),
  route('POST /v1/invoices/{id}/void', 'invoices.void', nothing, (act, _, id) =>
    close(act, act.need('invoice', id), 'void'),
  ),
  route('POST /v1/invoices/{id}/mark_uncollectible', 'invoices.mark_uncollectible', nothing, (act, _, id) =>
    close(act, act.need('invoice', id), 'uncollectible'),
  ),
  route(
    'GET /v1/invoice_payments',
    'invoice_payments.list',
    z.strictObject({
      ...paging,
      invoice: text.optional(),
      payment: z.strictObject({ type: z.literal('payment_intent'), payment_intent: text }).optional(),
    }),
    (act, { invoice, payment, ...page }) => {
      const found = act.store
        .list('invoice_payment')
        .filter((one) => (invoice ?? one.invoice) === one.invoice)
        .filter((one) => (payment?.payment_intent ?? one.payment.payment_intent) === one.payment.payment_intent)
      return pageOf('/v1/invoice_payments', found, page)
    },
  ),
]

function isListed(subscription: Subscription, wanted: string | undefined): boolean {
  const { status } = subscription
  if (wanted === undefined) return status !== 'canceled'
  if (wanted === 'all') return true
  return wanted === 'ended' ? isOver(subscription) : status === wanted
}

function cancelNow(
  act: Act,
  subscription: Subscription,
  given: { invoice_now?: boolean | undefined; prorate?: boolean | undefined },
) {
  if (isOver(subscription)) {
    throw invalid(`No such subscription: '${subscription.id}'`, { code: 'resource_missing', param: 'id' })
  }
  if (given.invoice_now || given.prorate)
    throw invalid('This sandbox cancels without a last invoice.', { param: 'prorate' })
  return end(act, subscription, 'cancellation_requested')
}

/** A bank's no is answered, and stays told. */
function payNow(act: Act, invoice: Invoice, card: string | undefined, isPersonThere: boolean): Invoice {
  const open = invoice.status === 'draft' ? finalize(act, invoice) : invoice
  if (open.status === 'paid' && invoice.status === 'draft') return open
  if (open.status === 'paid') throw invalid('Invoice is already paid', { code: 'invoice_already_paid' })
  if (open.status !== 'open' && open.status !== 'uncollectible') {
    throw invalid('This invoice can no longer be paid.', { code: 'invoice_not_payable' })
  }
  const method = card === undefined ? undefined : needAttached(act, card, invoice.customer, 'payment_method')
  const { invoice: paid, error, intent } = collect(act, open, { method, isPersonThere, isScheduled: false })
  if (error) throw declined(error, intent, true)
  if (intent?.status !== 'requires_action') return paid
  const message = 'This payment requires additional user action before it can be completed successfully.'
  throw declined({ type: 'card_error', code: 'invoice_payment_intent_requires_action', message }, intent, true)
}
