import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Acted, Change, createAccount, type KeyedAnswer, type KnownPrice } from './sandbox-account.ts'
import { accountRoutes } from './sandbox-account-routes.ts'
import type { AccountSettings, Act } from './sandbox-acts.ts'
import { billingRoutes } from './sandbox-billing-routes.ts'
import { eventRoutes } from './sandbox-event-routes.ts'
import { readForm } from './sandbox-forms.ts'
import { Happening, happen } from './sandbox-happenings.ts'
import { expanded } from './sandbox-lists.ts'
import { moneyRoutes } from './sandbox-money-routes.ts'
import { invalid, Refusal } from './sandbox-refusals.ts'
import type { Route } from './sandbox-routes.ts'
import { catchUp } from './sandbox-time.ts'
import { newId, over, wireText } from './sandbox-values.ts'
import { type Manner, type Outside, sequenceOf, signed, type WebhookTarget } from './sandbox-webhooks.ts'

interface Answer {
  reply: Response
  change?: Change
}

interface SandboxSettings extends Partial<AccountSettings> {
  /** Where events go, and the secret they are signed with; without it nothing is sent. */
  webhook?: WebhookTarget | undefined
  prices?: readonly KnownPrice[] | undefined
  /** How often the sandbox looks by itself what is due, in ms of real time. */
  lookMs?: number
}

const sending = {
  duplicates: z.int().min(1).max(10).optional(),
  reorder: z.boolean().optional(),
  lost: z.number().min(0).max(1).optional(),
  seed: z.int().optional(),
}

const StripeEvent = z.discriminatedUnion('type', [
  ...Happening.options,
  z.strictObject({ type: z.literal('event.resend'), eventId: z.string(), ...sending }),
  z.strictObject({ type: z.literal('webhooks.on'), ...sending }),
  z.strictObject({ type: z.literal('webhooks.off'), ...sending }),
  z.strictObject({ type: z.literal('webhooks.manner'), ...sending }),
  z.strictObject({ type: z.literal('keys.forget'), key: z.string().optional() }),
  z.strictObject({
    type: z.literal('requests.fail'),
    count: z.int().min(0).default(1),
    operation: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('settings'),
    retryDays: z.array(z.number().positive()).optional(),
    afterRetries: z.enum(['cancel', 'unpaid', 'past_due']).optional(),
  }),
])

type Resending = Extract<z.output<typeof StripeEvent>, { type: 'event.resend' }>

/**
 * Stripe as far as Throughline uses it: customers, cards, prices, checkout, subscriptions with their trials, renewals, changes and retries, invoices,
 * payments, refunds, disputes, the billing portal, meter events, events and test clocks. It owns `/v1/` and `/v2/` at the root, since the SDK can be
 * pointed at a whole origin only. Keys that do not begin with `sk_` or `rk_` are refused, and `sk_test_wrong`. What people and banks do comes as an
 * event (sandbox-happenings.ts): `checkout.complete`, `portal.newCard`, `trial.end`, `card.decline`, `payment.authenticate`, `dispute.open|win|lose`,
 * `refund.fail`, each with `duplicates`, `reorder` and `seed` for its webhooks; besides `event.resend`; `webhooks.off|on`, and `webhooks.manner`
 * with `lost` for all that follows; `keys.forget`; `requests.fail`, by which the next answers are 500 and kept under their keys; `settings`.
 */
export function createStripeSandbox({ webhook, prices = [], lookMs = 250, ...settings }: SandboxSettings = {}) {
  const initial = { retryDays: [1, 3, 5, 7, 9, 11, 14], afterRetries: 'unpaid' as const, ...settings }
  const account = createAccount(prices, initial, webhook !== undefined)
  const routes = [...accountRoutes, ...billingRoutes, ...moneyRoutes, ...eventRoutes(account.events)]
  let outside: Outside | undefined

  return {
    provider: 'stripe',
    roots: ['v1', 'v2'],
    operations: [...routes.map(({ operation }) => operation), 'unknown'],

    operation: (request: Request): string => routeOf(request)?.route.operation ?? 'unknown',

    async handle(request: Request, { now }: { now: Date }): Promise<Answer> {
      const body = await request.text()
      const at = seconds(now)
      look(at)
      return answer(request, body, at)
    },

    happen(event: unknown, { now }: { now: Date }): Change {
      const parsed = StripeEvent.parse(event)
      const at = seconds(now)
      look(at)
      return apply(changeFor(parsed, at))
    },

    replay: (change: unknown): void => account.apply(Change.parse(change)),

    /** When something is due by itself, by the sandbox's own clock; null: nothing is. */
    nextDue(): Date | null {
      const due = account.store.nextDue('', Infinity)
      return due ? new Date(due.at * 1000) : null
    },

    open(opened: Outside): void {
      outside = opened
      void send([...account.unsettled.values()], account.manner())
      void lookForEver(opened)
    },

    reset(): void {
      account.clear()
      if (outside) void lookForEver(outside)
    },
  }

  function routeOf(request: Request): { route: Route; id: string } | null {
    const { pathname } = new URL(request.url)
    for (const route of routes) {
      const [found, id = ''] = (route.method === request.method && route.path.exec(pathname)) || []
      if (found !== undefined) return { route, id }
    }
    return null
  }

  /** What is due by now happens before anybody is answered. */
  function look(now: number): void {
    if (!outside || !account.store.nextDue('', now)) return
    const act = account.begin({ now, request: null })
    catchUp(act, '', now)
    outside.keep(apply(acted(act)))
  }

  async function lookForEver({ now, pause }: Outside): Promise<void> {
    for (;;) {
      await pause(lookMs)
      look(seconds(now()))
    }
  }

  function apply<C extends Change>(change: C): C {
    account.apply(change)
    if (change.kind === 'acted') {
      const from = account.events().length - change.events.length
      void send(
        change.events.filter(({ id }) => account.unsettled.has(id)),
        over(account.manner(), change.manner ?? {}),
        from,
      )
    }
    return change
  }

  /** Each at least once, unless it is lost on purpose: what was not heard before the sandbox was killed is sent again. */
  async function send(events: Acted['events'], manner: Manner, from = 0): Promise<void> {
    if (!outside || !webhook || events.length === 0) return
    const { pause, post, keep } = outside
    await pause(0)
    const { url } = webhook
    await Promise.all(
      sequenceOf(events, manner, from).map(({ body }) => post({ url, body, headers: signed(webhook, body) })),
    )
    const settled = { kind: 'settled' as const, ids: events.map(({ id }) => id) }
    keep(settled)
    account.apply(settled)
  }

  function answer(request: Request, body: string, now: number): Answer {
    const requestId = newId('req')
    const { method } = request
    const key = method === 'POST' ? request.headers.get('idempotency-key') : null
    const found = routeOf(request)
    try {
      checkAccess(request)
      if (!found) throw unknownAddress(request)
      const fingerprint = createHash('sha256').update(`${request.url}\n${body}`).digest('base64url')
      const known = key === null ? undefined : account.answerUnder(key, now)
      if (known && known.fingerprint !== fingerprint) throw otherParameters(known.key)
      if (known)
        return { reply: replyOf(known, { 'idempotent-replayed': 'true', 'original-request': known.requestId }) }
      const { expand, ...given } = parametersOf(request, body)
      const run = found.route.prepare(given)
      const act = account.begin({ now, request: { id: requestId, idempotencyKey: key } })
      const fails = method !== 'GET' && account.shallFail(found.route.operation)
      const done = fails ? failure : act.whole(() => expanded(act, run(act, found.id), expand))
      const said = { requestId, status: done instanceof Refusal ? done.status : 200, body: bodyOf(done) }
      const kept = key === null ? null : { key, fingerprint, at: now, ...said }
      return { reply: replyOf(said), change: apply(acted(act, { answer: kept, hasFailed: fails })) }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { reply: replyOf({ requestId, status: error.status, body: bodyOf(error) }) }
    }
  }

  function changeFor(event: z.output<typeof StripeEvent>, now: number): Change {
    if (event.type === 'webhooks.on' || event.type === 'webhooks.off' || event.type === 'webhooks.manner') {
      const { type, ...manner } = event
      return { kind: 'webhooks', manner, ...(type !== 'webhooks.manner' && { on: type === 'webhooks.on' }) }
    }
    if (event.type === 'keys.forget') return { kind: 'keysForgotten', key: event.key }
    if (event.type === 'requests.fail') return { kind: 'failing', count: event.count, operation: event.operation }
    if (event.type === 'settings') return { ...event, kind: 'settings' }
    return event.type === 'event.resend' ? resent(event) : happened(event, now)
  }

  /** A bank's no to somebody at the checkout is no failure of the request: the session is open still. */
  function happened(event: Happening, now: number): Change {
    const act = account.begin({ now, request: null })
    const done = act.whole(() => happen(act, event))
    if (done instanceof Refusal && done.status !== 402) throw asZod(done)
    const { duplicates, reorder, seed } = event
    return acted(act, { manner: { duplicates, reorder, seed } })
  }

  function resent({ eventId: id, duplicates, reorder, lost, seed }: Resending): Change {
    const event = account.events().find((one) => one.id === id)
    if (!event) throw asZod(invalid(`No such event: '${id}'`, { param: 'eventId' }))
    void send([event], over(account.manner(), { duplicates, reorder, lost, seed }))
    return { kind: 'settled', ids: [] }
  }
}

function acted(act: Act, more: Partial<Acted> = {}): Acted {
  return { kind: 'acted', ...act.settle(), answer: null, manner: null, hasFailed: false, ...more }
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

function parametersOf(request: Request, body: string): { expand: string[]; [name: string]: unknown } {
  const { search } = new URL(request.url)
  const { expand, ...given } = readForm(new URLSearchParams(request.method === 'POST' ? body : search.slice(1) || body))
  return { ...given, expand: Object.values(expand ?? {}).map(String) }
}

function checkAccess(request: Request): void {
  const [, key] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
  const isKnown = key !== undefined && /^[sr]k_/.test(key) && key !== 'sk_test_wrong'
  if (isKnown) return
  const message =
    key === undefined ? 'You did not provide an API key.' : `Invalid API Key provided: ${key.slice(0, 8)}***`
  throw new Refusal(401, { type: 'invalid_request_error', message })
}

function unknownAddress(request: Request): Refusal {
  const { pathname } = new URL(request.url)
  const message = `Unrecognized request URL (${request.method}: ${pathname}).`
  return new Refusal(404, { type: 'invalid_request_error', message })
}

function otherParameters(key: string): Refusal {
  const message = `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`
  return new Refusal(400, { type: 'idempotency_error', message })
}

const failure = new Refusal(500, { type: 'api_error', message: 'This failure was asked for through the sandbox.' })

function bodyOf(done: unknown): string {
  return wireText(done instanceof Refusal ? { error: done.error } : done)
}

function replyOf(
  { status, body, requestId }: Pick<KeyedAnswer, 'status' | 'body' | 'requestId'>,
  more: Record<string, string> = {},
): Response {
  const headers = { 'content-type': 'application/json', 'request-id': requestId, ...more }
  return new Response(body, { status, headers })
}

function asZod({ error: { param = '', message } }: Refusal): z.ZodError {
  return new z.ZodError([{ code: 'custom', path: [param], message, input: undefined }])
}
