import { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import { isOver } from './sandbox-billing-objects.ts'
import { cardById, cardByNumber } from './sandbox-cards.ts'
import { listed, merged, metadata, nothing, orGone, paging, recurring, text, whole, yesNo } from './sandbox-forms.ts'
import { pageOf } from './sandbox-lists.ts'
import {
  type Customer,
  newCustomer,
  newPaymentMethod,
  newPortalSession,
  newPrice,
  newProduct,
  newTestClock,
  type TestClock,
} from './sandbox-objects.ts'
import { attach, detach, needAttached } from './sandbox-payments.ts'
import { invalid, missing } from './sandbox-refusals.ts'
import { type Route, retrieval, route } from './sandbox-routes.ts'
import { end } from './sandbox-statuses.ts'
import { catchUp } from './sandbox-time.ts'
import { over, own } from './sandbox-values.ts'

const person = {
  email: orGone(text).optional(),
  name: orGone(text).optional(),
  phone: orGone(text).optional(),
  description: orGone(text).optional(),
  metadata: metadata.optional(),
  invoice_settings: z.strictObject({ default_payment_method: orGone(text).optional() }).optional(),
  balance: whole.optional(),
}

export const accountRoutes: Route[] = [
  route(
    'POST /v1/test_helpers/test_clocks',
    'test_clocks.create',
    z.strictObject({ frozen_time: whole, name: text.optional() }),
    (act, { frozen_time: frozenTime, name = null }) =>
      act.save(newTestClock(act.now(null), { frozenTime, name }), 'test_helpers.test_clock.created'),
  ),
  route('GET /v1/test_helpers/test_clocks', 'test_clocks.list', z.strictObject(paging), (act, page) =>
    pageOf('/v1/test_helpers/test_clocks', act.store.list('test_helpers.test_clock'), page),
  ),
  retrieval('GET /v1/test_helpers/test_clocks/{id}', 'test_clocks.retrieve', 'test_helpers.test_clock'),
  route(
    'POST /v1/test_helpers/test_clocks/{id}/advance',
    'test_clocks.advance',
    z.strictObject({ frozen_time: whole }),
    (act, { frozen_time: frozen }, id) => advance(act, id, frozen),
  ),

  route(
    'POST /v1/products',
    'products.create',
    z.strictObject({
      id: text.optional(),
      name: text,
      description: text.optional(),
      active: yesNo.optional(),
      metadata: metadata.optional(),
    }),
    (act, given) =>
      act.save(newProduct(act.now(null), { ...given, metadata: merged({}, given.metadata) }), 'product.created'),
  ),
  route('GET /v1/products', 'products.list', z.strictObject(paging), (act, page) =>
    pageOf('/v1/products', act.store.list('product'), page),
  ),
  retrieval('GET /v1/products/{id}', 'products.retrieve', 'product'),
  route(
    'POST /v1/prices',
    'prices.create',
    z.strictObject({
      currency: z.string().length(3),
      unit_amount: whole,
      product: text.optional(),
      product_data: z.strictObject({ name: text }).optional(),
      recurring: recurring.optional(),
      lookup_key: text.optional(),
      nickname: text.optional(),
      metadata: metadata.optional(),
    }),
    (act, given) => {
      const now = act.now(null)
      const name = given.product_data?.name
      const product =
        name === undefined
          ? act.need('product', given.product ?? '', 'product')
          : act.save(newProduct(now, { name }), 'product.created')
      const { currency, unit_amount: unitAmount, lookup_key: lookupKey, nickname } = given
      const rhythm = { interval: given.recurring?.interval ?? null, intervalCount: given.recurring?.interval_count }
      const about = { currency, unitAmount, lookupKey, nickname, ...rhythm, metadata: merged({}, given.metadata) }
      return act.save(newPrice(now, { product: product.id, ...about }), 'price.created')
    },
  ),
  route(
    'GET /v1/prices',
    'prices.list',
    z.strictObject({
      ...paging,
      active: yesNo.optional(),
      product: text.optional(),
      lookup_keys: listed(text).optional(),
    }),
    (act, { active, product, lookup_keys: keys, ...page }) => {
      const found = act.store
        .list('price')
        .filter((price) => (active ?? price.active) === price.active && (product ?? price.product) === price.product)
        .filter(({ lookup_key }) => keys === undefined || (lookup_key !== null && keys.includes(lookup_key)))
      return pageOf('/v1/prices', found, page)
    },
  ),
  retrieval('GET /v1/prices/{id}', 'prices.retrieve', 'price'),

  route(
    'POST /v1/customers',
    'customers.create',
    z.strictObject({ ...person, payment_method: text.optional(), test_clock: text.optional() }),
    (act, given) => createCustomer(act, given),
  ),
  route(
    'GET /v1/customers',
    'customers.list',
    z.strictObject({ ...paging, email: text.optional(), test_clock: text.optional() }),
    (act, { email, test_clock: clock, ...page }) => {
      const found = act.store
        .list('customer')
        .filter(
          (one) =>
            !one[own].isDeleted && (email ?? one.email) === one.email && (clock ?? one.test_clock) === one.test_clock,
        )
      return pageOf('/v1/customers', found, page)
    },
  ),
  route('GET /v1/customers/{id}', 'customers.retrieve', nothing, (act, _, id) => shown(act.need('customer', id))),
  route('POST /v1/customers/{id}', 'customers.update', z.strictObject(person), (act, given, id) =>
    updateCustomer(act, act.need('customer', id), given),
  ),
  route('DELETE /v1/customers/{id}', 'customers.delete', nothing, (act, _, id) =>
    deleteCustomer(act, act.need('customer', id)),
  ),
  route(
    'GET /v1/customers/{id}/payment_methods',
    'customers.payment_methods',
    z.strictObject({ ...paging, type: z.literal('card').optional() }),
    (act, page, id) =>
      pageOf(
        `/v1/customers/${act.need('customer', id).id}/payment_methods`,
        act.store.list('payment_method', id),
        page,
      ),
  ),

  route(
    'POST /v1/payment_methods',
    'payment_methods.create',
    z.strictObject({
      type: z.literal('card'),
      card: z.union([
        z.strictObject({ token: text }),
        z.strictObject({ number: text, exp_month: whole, exp_year: whole, cvc: text.optional() }),
      ]),
      metadata: metadata.optional(),
    }),
    (act, given) => {
      const card = 'token' in given.card ? cardById(given.card.token) : cardByNumber(given.card.number)
      if (!card) throw invalid('Your card number is incorrect.', { code: 'incorrect_number', param: 'card[number]' })
      const made = newPaymentMethod(act.now(null), { card, metadata: merged({}, given.metadata) })
      const expiry = 'number' in given.card && { exp_month: given.card.exp_month, exp_year: given.card.exp_year }
      return act.save({ ...made, card: { ...made.card, ...expiry } })
    },
  ),
  route(
    'GET /v1/payment_methods',
    'payment_methods.list',
    z.strictObject({ ...paging, customer: text, type: z.literal('card').optional() }),
    (act, { customer, ...page }) => {
      const { id } = act.need('customer', customer, 'customer')
      return pageOf('/v1/payment_methods', act.store.list('payment_method', id), page)
    },
  ),
  retrieval('GET /v1/payment_methods/{id}', 'payment_methods.retrieve', 'payment_method'),
  route(
    'POST /v1/payment_methods/{id}/attach',
    'payment_methods.attach',
    z.strictObject({ customer: text }),
    (act, { customer }, id) => attach(act, id, act.need('customer', customer, 'customer').id),
  ),
  route('POST /v1/payment_methods/{id}/detach', 'payment_methods.detach', nothing, (act, _, id) =>
    detach(act, act.need('payment_method', id)),
  ),
  route(
    'POST /v1/billing_portal/sessions',
    'billing_portal.create',
    z.strictObject({ customer: text, return_url: text.optional() }),
    (act, { customer, return_url: returnUrl = null }) => {
      const { id } = act.need('customer', customer, 'customer')
      return act.save(newPortalSession(act.now(id), { customer: id, returnUrl }), 'billing_portal.session.created')
    },
  ),
]

type Person = { [K in keyof typeof person]?: z.output<(typeof person)[K]> }

function createCustomer(
  act: Act,
  given: Person & { payment_method?: string | undefined; test_clock?: string | undefined },
) {
  const { test_clock: testClock, payment_method: card, invoice_settings: settings } = given
  const clock = testClock === undefined ? undefined : act.need('test_helpers.test_clock', testClock, 'test_clock')
  const { email, name, phone, description, balance } = given
  const about = { email, name, phone, description, balance, testClock, metadata: merged({}, given.metadata) }
  const customer = act.save(newCustomer(clock?.frozen_time ?? act.now(null), about), 'customer.created')
  const method = card === undefined ? undefined : attach(act, card, customer.id)
  const wanted = settings?.default_payment_method
  // Stripe takes the words for a test card twice, for one and the same payment method.
  const chosen = wanted === card ? method?.id : wanted
  if (chosen) needAttached(act, chosen, customer.id, 'invoice_settings[default_payment_method]')
  return chosen ? act.save(withDefault(customer, chosen)) : customer
}

export function withDefault(customer: Customer, method: string | null): Customer {
  return { ...customer, invoice_settings: { ...customer.invoice_settings, default_payment_method: method } }
}

function updateCustomer(act: Act, customer: Customer, given: Person) {
  if (customer[own].isDeleted) throw missing('customer', customer.id)
  const { metadata: change, invoice_settings: settings, ...rest } = given
  const wanted = settings?.default_payment_method
  if (wanted) needAttached(act, wanted, customer.id, 'invoice_settings[default_payment_method]')
  const changed = over(customer, { ...rest, metadata: merged(customer.metadata, change) })
  return act.save(wanted === undefined ? changed : withDefault(changed, wanted), 'customer.updated')
}

function deleteCustomer(act: Act, customer: Customer) {
  for (const subscription of act.store.list('subscription', customer.id)) {
    if (!isOver(subscription)) end(act, subscription, 'cancellation_requested')
  }
  return shown(act.save({ ...customer, [own]: { isDeleted: true } }, 'customer.deleted'))
}

function shown(customer: Customer) {
  return customer[own].isDeleted ? { id: customer.id, object: 'customer', deleted: true } : customer
}

/** Answered as Stripe does while it is at it; it is ready when it is next asked for. */
function advance(act: Act, id: string, frozen: number) {
  const clock = act.need('test_helpers.test_clock', id)
  if (frozen <= clock.frozen_time) {
    throw invalid('The frozen time must be after the current frozen time.', { param: 'frozen_time' })
  }
  const status_details = { advancing: { target_frozen_time: frozen } }
  const advancing = act.save<TestClock>(
    { ...clock, status: 'advancing', status_details },
    'test_helpers.test_clock.advancing',
  )
  catchUp(act, id, frozen)
  act.save({ ...clock, frozen_time: frozen }, 'test_helpers.test_clock.ready')
  return advancing
}
