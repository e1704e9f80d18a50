import { z } from 'zod'
import { type AccountSettings, openAct, type StoredEvent } from './sandbox-acts.ts'
import { newPrice, newProduct } from './sandbox-objects.ts'
import { createStore, type StripeObject } from './sandbox-store.ts'
import { day, over } from './sandbox-values.ts'
import { type Manner, plain } from './sandbox-webhooks.ts'

/** A price that the sandbox knows from its start. */
export interface KnownPrice {
  id: string
  /** The product's name. */
  product: string
  /** In minor units. */
  unitAmount: number
  /** ISO 4217, lower case. */
  currency: string
  /** Null: paid once. */
  interval: 'day' | 'week' | 'month' | 'year' | null
  /** Of a price that is paid by use, the event that tells of it. */
  meter?: string | undefined
}

const Event = z.object({ id: z.string(), type: z.string(), created: z.int(), body: z.string() })

/** What was answered under a key. */
const KeyedAnswer = z.object({
  key: z.string(),
  fingerprint: z.string(),
  /** Unix seconds. */
  at: z.int(),
  status: z.int(),
  body: z.string(),
  requestId: z.string(),
})
export type KeyedAnswer = z.infer<typeof KeyedAnswer>

const Manners = z.object({ duplicates: z.int(), reorder: z.boolean(), lost: z.number(), seed: z.int() })

/** All that can change in the sandbox. Its state is the sum of these, which the sandbox's journal keeps. */
export const Change = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('acted'),
    objects: z.array(z.custom<StripeObject>((object) => typeof object === 'object')),
    events: z.array(Event),
    answer: KeyedAnswer.nullable(),
    /** Differs from how all else is sent. */
    manner: Manners.partial().nullable(),
    /** One of the failures that were asked for. */
    hasFailed: z.boolean(),
  }),
  /** The webhooks of these events were heard or given up. */
  z.object({ kind: z.literal('settled'), ids: z.array(z.string()) }),
  z.object({ kind: z.literal('webhooks'), on: z.boolean().optional(), manner: Manners.partial() }),
  z.object({ kind: z.literal('keysForgotten'), key: z.string().optional() }),
  z.object({ kind: z.literal('failing'), count: z.int(), operation: z.string().optional() }),
  z.object({
    kind: z.literal('settings'),
    retryDays: z.array(z.number()).optional(),
    afterRetries: z.enum(['cancel', 'unpaid', 'past_due']).optional(),
  }),
])
export type Change = z.infer<typeof Change>
export type Acted = Extract<Change, { kind: 'acted' }>

const keySeconds = day
/** When the prices were made that the sandbox knows from its start. Unix seconds. */
const knownSince = Date.UTC(2026, 0, 1) / 1000

/** Everything that Stripe keeps for one account. */
export function createAccount(prices: readonly KnownPrice[], initial: AccountSettings, hasWebhook: boolean) {
  const store = createStore()
  const keys = new Map<string, KeyedAnswer>()
  const unsettled = new Map<string, StoredEvent>()
  let events: StoredEvent[] = []
  let settings = initial
  let manner = plain
  let sendsWebhooks = true
  let failing: { count: number; operation?: string | undefined } = { count: 0 }

  function know(): void {
    for (const { product: name, ...price } of prices) {
      const product = `prod_${name.replace(/\W+/g, '')}`
      if (!store.get('product', product)) store.put(newProduct(knownSince, { id: product, name }))
      store.put(newPrice(knownSince, { ...price, product, nickname: name }))
    }
    store.settle()
  }

  function takeUp({ objects, events: told, answer, hasFailed }: Acted): void {
    for (const object of objects) store.put(object)
    store.settle()
    events.push(...told)
    if (answer) keys.set(answer.key, answer)
    if (hasWebhook && sendsWebhooks) for (const event of told) unsettled.set(event.id, event)
    if (hasFailed) failing = { ...failing, count: failing.count - 1 }
  }

  know()
  return {
    store,
    unsettled,
    events: (): readonly StoredEvent[] => events,
    manner: (): Manner => manner,
    begin: (cause: Parameters<typeof openAct>[2]) => openAct(store, settings, cause),
    shallFail: (operation: string): boolean => failing.count > 0 && (failing.operation ?? operation) === operation,

    /** The first answer under a key, as long as that is known. */
    answerUnder(key: string, now: number): KeyedAnswer | undefined {
      const answer = keys.get(key)
      return answer && now - answer.at < keySeconds ? answer : undefined
    },

    apply(change: Change): void {
      switch (change.kind) {
        case 'acted':
          return takeUp(change)
        case 'settled':
          return change.ids.forEach((id) => unsettled.delete(id))
        case 'webhooks':
          sendsWebhooks = change.on ?? sendsWebhooks
          manner = over(manner, change.manner)
          return
        case 'keysForgotten':
          if (change.key === undefined) keys.clear()
          else keys.delete(change.key)
          return
        case 'failing':
          failing = change
          return
        case 'settings':
          settings = over(settings, { retryDays: change.retryDays, afterRetries: change.afterRetries })
      }
    },

    clear(): void {
      store.clear()
      for (const map of [keys, unsettled]) map.clear()
      events = []
      settings = initial
      manner = plain
      sendsWebhooks = true
      failing = { count: 0 }
      know()
    },
  }
}
