import type { BillingAccount, BillingProvider, PlanOfPrice } from '../../activities/ports.ts'
import { seededPlans } from '../../db/seeded-plans.ts'
import { standInPriceIds, standInPrices } from '../../dev/stripe-prices.ts'
import { createStripe } from '../../providers/stripe/client.ts'
import { createStripeSandbox } from '../../providers/stripe/sandbox.ts'

/** The catalogue's prices at the sandbox, by their settings. */
export const priceIds = standInPriceIds({})
const knownPrices = standInPrices(priceIds)

export const planOfPrices: PlanOfPrice = new Map(
  seededPlans().flatMap(({ key, prices }) =>
    prices.map(({ setting }) => [priceIds[setting] ?? '', { planKey: key }] as const),
  ),
)

/** What becomes of webhooks on their way, as the sandbox has it. */
export interface WebhookManner {
  duplicates: number
  lost: number
  reorder: boolean
  seed: number
}

/** Stripe's sandbox and our client for it in one process, without a socket between them, by a clock that is moved by hand. */
export function stripeInProcess(began: number, manner?: WebhookManner) {
  let at = began
  let changes = 0
  let arrived = 0
  const accounts = new Map<string, { changes: number; account: Promise<BillingAccount | null> }>()
  const sandbox = createStripeSandbox({
    prices: knownPrices,
    webhook: { url: 'http://throughline.test/webhooks/stripe', secret: 'whsec_of_a_test' },
  })
  sandbox.open({
    now: () => new Date(at),
    keep: count,
    // Of itself it does nothing here: what is due happens when the clock is moved.
    pause: (ms) => (ms === 0 ? Promise.resolve() : new Promise(() => {})),
    async post() {
      arrived += 1
    },
  })
  if (manner) happen({ type: 'webhooks.manner', ...manner })
  const billing = createStripe({
    secretKey: 'sk_test_sandbox',
    baseUrl: 'http://stripe.test',
    now: () => at,
    async fetch(url, init) {
      const { reply, change } = await sandbox.handle(new Request(url, init), { now: new Date(at) })
      count(change)
      return reply
    },
  })

  return {
    happen,
    now: () => at,
    /** It is that late, and what was due by then has happened. */
    follow(now: number): void {
      at = now
      happen({ type: 'webhooks.manner' })
    },
    nextDue: () => sandbox.nextDue()?.getTime() ?? Infinity,
    /** How much has happened so far. */
    changes: () => changes,
    /** How many webhooks have come since this was last asked. */
    async arrivals(): Promise<number> {
      await new Promise(setImmediate)
      const came = arrived
      arrived = 0
      return came
    },
    /** What has not changed is not read anew, so that hundreds of lives take seconds. */
    billing: {
      ...billing,
      fetchAccount(customerId, plans, signal) {
        const known = accounts.get(customerId)
        if (known?.changes === changes) return known.account
        const account = billing.fetchAccount(customerId, plans, signal)
        accounts.set(customerId, { changes, account })
        return account
      },
    } satisfies BillingProvider,
  }

  function happen(event: { type: string } & Record<string, unknown>): void {
    count(sandbox.happen(event, { now: new Date(at) }))
  }

  function count(change: unknown): void {
    if (typeof change === 'object' && change !== null && 'events' in change) {
      if (Array.isArray(change.events) && change.events.length > 0) changes += 1
    }
  }
}
