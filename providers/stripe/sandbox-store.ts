import type { Invoice, InvoiceItem, InvoicePayment, Subscription } from './sandbox-billing-objects.ts'
import type { CheckoutSession } from './sandbox-checkout-objects.ts'
import { dueOf } from './sandbox-due.ts'
import type { Charge, Dispute, PaymentIntent, Refund } from './sandbox-money-objects.ts'
import type {
  Customer,
  MeterEvent,
  PaymentMethod,
  PortalSession,
  Price,
  Product,
  SetupIntent,
  TestClock,
} from './sandbox-objects.ts'
import { own } from './sandbox-values.ts'

/** All that the sandbox keeps, by the name of the kind of object. */
export interface Kinds {
  'test_helpers.test_clock': TestClock
  product: Product
  price: Price
  customer: Customer
  payment_method: PaymentMethod
  setup_intent: SetupIntent
  payment_intent: PaymentIntent
  charge: Charge
  refund: Refund
  dispute: Dispute
  subscription: Subscription
  invoice: Invoice
  invoiceitem: InvoiceItem
  invoice_payment: InvoicePayment
  'checkout.session': CheckoutSession
  'billing_portal.session': PortalSession
  'billing.meter_event': MeterEvent
}

export type Kind = keyof Kinds
export type StripeObject = Kinds[Kind]

/** What is to be done about an object, at a time by the clock of its customer. */
export interface Due {
  object: StripeObject
  at: number
}

interface Written {
  kind: Kind
  id: string
  before: StripeObject | undefined
}

export type Store = ReturnType<typeof createStore>

/** Every object by its id, in the order in which they were made, with an undo for what an act has written so far. Objects are never changed. */
export function createStore() {
  const kinds = new Map<Kind, Map<string, StripeObject>>()
  const owned = new Map<string, Set<string>>()
  const agendas = new Map<string, Map<string, Due>>()
  let journal: Written[] = []

  const mapOf = (kind: Kind) => entry(kinds, kind, () => new Map<string, StripeObject>())

  function write(kind: Kind, id: string, object: StripeObject | undefined): void {
    const agenda = entry(agendas, clockOf(object ?? mapOf(kind).get(id)), () => new Map<string, Due>())
    if (object === undefined) mapOf(kind).delete(id)
    else mapOf(kind).set(id, object)
    const customer = object && ownerOf(object)
    if (customer) entry(owned, `${kind}/${customer}`, () => new Set<string>()).add(id)
    const at = object ? dueOf(object) : null
    if (object && at !== null) agenda.set(id, { object, at })
    else agenda.delete(id)
  }

  /** Never changes for a customer, nor for what is theirs. */
  function clockOf(object: StripeObject | undefined): string {
    const customer = object && ownerOf(object)
    return (customer && get('customer', customer)?.test_clock) || ''
  }

  function get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    const object = mapOf(kind).get(id)
    return object && isOf(kind, object) ? object : undefined
  }

  return {
    get,

    /** In the order in which they were made; those of a customer, where one is given. */
    list<K extends Kind>(kind: K, customer?: string): Kinds[K][] {
      const map = mapOf(kind)
      const ids = customer === undefined ? map.keys() : (owned.get(`${kind}/${customer}`) ?? [])
      const found: Kinds[K][] = []
      for (const id of ids) {
        const object = map.get(id)
        if (object && isOf(kind, object) && (customer ?? ownerOf(object)) === ownerOf(object)) found.push(object)
      }
      return found
    },

    put(object: StripeObject): void {
      const [kind, id] = [object.object, idOf(object)]
      journal.push({ kind, id, before: mapOf(kind).get(id) })
      write(kind, id, object)
    },

    /** The earliest that is due by then, by a test clock, or by the sandbox's own if `clock` is empty. */
    nextDue(clock: string, until: number): Due | undefined {
      let next: Due | undefined
      for (const due of agendas.get(clock)?.values() ?? []) {
        if (due.at <= until && (next === undefined || due.at < next.at)) next = due
      }
      return next
    },

    /** A mark to go back to. */
    mark: (): number => journal.length,

    undoTo(mark: number): void {
      for (const { kind, id, before } of journal.splice(mark).toReversed()) write(kind, id, before)
    },

    /** Ends the act; returns each object that it wrote, as it is now. */
    settle(): StripeObject[] {
      const ids = new Map(journal.map(({ kind, id }) => [`${kind}/${id}`, mapOf(kind).get(id)]))
      journal = []
      return [...ids.values()].filter((object) => object !== undefined)
    },

    clear(): void {
      for (const map of [kinds, owned, agendas]) map.clear()
      journal = []
    },
  }
}

function isOf<K extends Kind>(kind: K, object: StripeObject): object is StripeObject & Kinds[K] {
  return object.object === kind
}

export function idOf(object: StripeObject): string {
  return 'id' in object ? object.id : object.identifier
}

/** The customer whose object it is. */
export function ownerOf(object: StripeObject): string | null {
  if ('customer' in object) return object.customer
  if (object.object === 'customer') return object.id
  if (own in object && 'customer' in object[own]) return object[own].customer
  return null
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
