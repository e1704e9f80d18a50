import type { Act } from './sandbox-acts.ts'
import { isOver } from './sandbox-billing-objects.ts'
import type { Paging } from './sandbox-forms.ts'
import { invalid } from './sandbox-refusals.ts'
import { type List, listOf, own } from './sandbox-values.ts'

interface Listed {
  id: string
  created: number
}

/** A page of what is listed, the newest first. */
export function pageOf<T extends Listed>(url: string, oldestFirst: readonly T[], paging: Paging): List<T> {
  const { limit, created } = paging
  const all = oldestFirst.filter(({ created: at }) => isWithin(at, created)).toReversed()
  const after = paging.starting_after === undefined ? -1 : placeOf(all, paging.starting_after, 'starting_after')
  if (paging.ending_before === undefined) {
    return listOf(url, all.slice(after + 1, after + 1 + limit), all.length > after + 1 + limit)
  }
  const before = placeOf(all, paging.ending_before, 'ending_before')
  return listOf(url, all.slice(Math.max(0, before - limit), before), before > limit)
}

/** A page of what an object is made of, in its order. */
export function partOf<T extends { id: string }>(
  url: string,
  all: readonly T[],
  { limit, starting_after: id }: Paging,
): List<T> {
  const after = id === undefined ? 0 : all.findIndex((one) => one.id === id) + 1
  return listOf(url, all.slice(after, after + limit), all.length > after + limit)
}

function isWithin(at: number, range: Paging['created']): boolean {
  if (range === undefined) return true
  const {
    gt = -1,
    gte = 0,
    lt = Number.POSITIVE_INFINITY,
    lte = Number.POSITIVE_INFINITY,
  } = { gt: undefined, lt: undefined, ...range }
  return at > gt && at >= gte && at < lt && at <= lte
}

function placeOf(all: readonly Listed[], id: string, param: string): number {
  const place = all.findIndex((one) => one.id === id)
  if (place === -1) throw invalid(`No such object: '${id}'`, { code: 'resource_missing', param })
  return place
}

type Fields = Record<string, unknown>

const deepest = 4

/** Replaces ids on the asked paths by their objects: `data.latest_invoice.payments`. */
export function expanded(act: Act, value: unknown, paths: readonly string[]): unknown {
  const [tooDeep] = paths.filter((path) => path.split('.').length > deepest)
  if (tooDeep !== undefined) {
    throw invalid(`You cannot expand more than ${deepest} levels of a property. Property: ${tooDeep}`, {
      param: 'expand',
    })
  }
  return paths.reduce((result, path) => along(act, result, path.split('.')), value)
}

function along(act: Act, value: unknown, [field, ...rest]: string[]): unknown {
  if (field === undefined) return value
  if (Array.isArray(value)) return value.map((one: unknown) => along(act, one, [field, ...rest]))
  if (!isFields(value)) return value
  const inner = value[field] ?? included(act, value, field)
  const whole = typeof inner === 'string' ? (find(act, field, inner) ?? inner) : inner
  return whole === undefined ? value : { ...value, [field]: along(act, whole, rest) }
}

/** Lists that an object has only where they are asked for. */
function included(act: Act, { object, id, customer }: Fields, field: string): unknown {
  if (typeof id !== 'string') return undefined
  const { store } = act
  if (object === 'customer' && field === 'subscriptions') {
    const alive = store.list('subscription', id).filter((one) => !isOver(one))
    return listOf(`/v1/customers/${id}/subscriptions`, alive.toReversed())
  }
  if (object === 'invoice' && field === 'payments' && typeof customer === 'string') {
    const payments = store.list('invoice_payment', customer).filter(({ invoice }) => invoice === id)
    return listOf('/v1/invoice_payments', payments.toReversed())
  }
  if (object === 'charge' && field === 'refunds' && typeof customer === 'string') {
    const refunds = store.list('refund', customer).filter(({ charge }) => charge === id)
    return listOf(`/v1/charges/${id}/refunds`, refunds.toReversed())
  }
  if (object === 'checkout.session' && field === 'line_items') {
    const lines = store.get('checkout.session', id)?.[own].lines ?? []
    return listOf(`/v1/checkout/sessions/${id}/line_items`, lines)
  }
  return undefined
}

const kindOf = {
  charge: 'charge',
  customer: 'customer',
  default_payment_method: 'payment_method',
  invoice: 'invoice',
  latest_charge: 'charge',
  latest_invoice: 'invoice',
  payment_intent: 'payment_intent',
  payment_method: 'payment_method',
  price: 'price',
  product: 'product',
  setup_intent: 'setup_intent',
  subscription: 'subscription',
  test_clock: 'test_helpers.test_clock',
} as const

function find(act: Act, field: string, id: string): unknown {
  return isKindField(field) ? act.store.get(kindOf[field], id) : undefined
}

function isKindField(field: string): field is keyof typeof kindOf {
  return field in kindOf
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
