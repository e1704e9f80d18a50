import { Stripe } from 'stripe'
import { missing, Refusal } from './sandbox-refusals.ts'
import { idOf, type Kind, type Kinds, ownerOf, type Store, type StripeObject } from './sandbox-store.ts'
import { newId, own, wireText } from './sandbox-values.ts'

/** How the account is set up in Stripe's dashboard. */
export interface AccountSettings {
  /** After how many days since the first failure a renewal's payment is tried again. */
  retryDays: readonly number[]
  /** What becomes of the subscription after the last try. */
  afterRetries: 'cancel' | 'unpaid' | 'past_due'
}

/** An event as it is listed and sent: its text never changes. */
export interface StoredEvent {
  id: string
  type: string
  created: number
  body: string
}

interface Cause {
  /** By the sandbox's clock. */
  now: number
  /** Null where nobody asked for it. */
  request: { id: string; idempotencyKey: string | null } | null
}

type EventType = Stripe.Event['type']

export type Act = ReturnType<typeof openAct>

/** Something that happens at Stripe as a whole or not at all, with the events that tell of it. */
export function openAct(store: Store, settings: AccountSettings, { now, request }: Cause) {
  const events: StoredEvent[] = []
  let moment: number | null = null

  function tell(type: EventType, object: unknown, at: number, previous?: Record<string, unknown>): void {
    const id = newId('evt')
    const data = { object, ...(previous && { previous_attributes: previous }) }
    const cause = { id: request?.id ?? null, idempotency_key: request?.idempotencyKey ?? null }
    const event = { id, object: 'event', api_version: Stripe.API_VERSION, created: at, data, livemode: false }
    events.push({ id, type, created: at, body: wireText({ ...event, pending_webhooks: 1, request: cause, type }) })
  }

  const act = {
    store,
    settings,

    /** By the customer's clock: a test clock's or the sandbox's. While time is being made up for, the time that it is then. */
    now(customer: string | null): number {
      if (moment !== null) return moment
      const clock = customer === null ? null : store.get('customer', customer)?.test_clock
      return (clock && store.get('test_helpers.test_clock', clock)?.frozen_time) || now
    },

    /** Has something happen at an earlier time. */
    at(time: number, happen: () => void): void {
      moment = time
      happen()
      moment = null
    },

    /** Throws the refusal that a request gets which names something that is not there. */
    need<K extends Kind>(kind: K, id: string, param?: string): Kinds[K] {
      const object = store.get(kind, id)
      if (object === undefined) throw missing(kind.replace(/^.*\./, '').replaceAll('_', ''), id, param)
      return object
    },

    /** Keeps the object and tells what happened to it, if anybody is to know. Returns it. */
    save<T extends StripeObject>(object: T, ...types: EventType[]): T {
      const before = store.get(object.object, idOf(object))
      store.put(object)
      const at = act.now(ownerOf(object))
      for (const type of types)
        tell(type, object, at, type.endsWith('.updated') ? changesOf(before, object) : undefined)
      return object
    },

    /** Tells of what is not kept. */
    tell: (type: EventType, object: { customer: string | null }): void => tell(type, object, act.now(object.customer)),

    /** Does something and undoes it again; returns what it would have brought. */
    pretend<T>(work: () => T): T {
      const [mark, told] = [store.mark(), events.length]
      try {
        return work()
      } finally {
        store.undoTo(mark)
        events.length = told
      }
    },

    /** Does something whole, or nothing of it where it is refused. */
    whole<T>(work: () => T): T | Refusal {
      const [mark, told] = [store.mark(), events.length]
      try {
        return work()
      } catch (error) {
        const isRefusal = error instanceof Refusal
        if (isRefusal && error.keeps) return error
        store.undoTo(mark)
        events.length = told
        if (isRefusal) return error
        throw error
      }
    },

    /** Ends it: what has changed. */
    settle: () => ({ objects: store.settle(), events }),
  }
  return act
}

/** What the fields that have changed were before. */
function changesOf(before: StripeObject | undefined, object: StripeObject): Record<string, unknown> {
  const now: Record<string, unknown> = { ...object }
  const changed = Object.entries(before ?? {}).filter(
    ([field, value]) => field !== own && wireText(value) !== wireText(now[field]),
  )
  return Object.fromEntries(changed)
}
