import { createBillingActActivities, type DueAct } from '../../activities/billing/acts.ts'
import { createBillingLookActivities } from '../../activities/billing/look.ts'
import { createPayers } from '../../activities/billing/payers.ts'
import { createBillingRequestActivities } from '../../activities/billing/requests.ts'
import type { BillingFacts, BillingProvider } from '../../activities/ports.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import { type StandInPrice, standInPriceIds, standInPrices } from '../../dev/stripe-prices.ts'
import { createStripe } from '../../providers/stripe/client.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import type { BillingLook } from '../../workflows/contracts/subscription-lifecycle.ts'
import { builtInBillingPolicy, type Timer } from '../../workflows/contracts/subscriptions.ts'
import { testOrganisation } from './organisation.ts'
import { startTestSandbox } from './sandbox.ts'

export const dayMs = 86_400_000

/** A price at the sandbox that the catalogue does not come with, with its setting. */
type OwnPrice = StandInPrice & { setting: string; meter?: string }

/**
 * What an organisation's story does, by its activities alone and at times of our own choosing: real PostgreSQL and Stripe's SDK over HTTP, without
 * Temporal. Call it at the top of the file.
 */
export async function billingStories(began = new Date('2026-06-01T10:00:00Z'), own: readonly OwnPrice[] = []) {
  const seeded = standInPriceIds({})
  const prices = { ...seeded, ...Object.fromEntries(own.map(({ setting, id }) => [setting, id])) }
  const organisation = await testOrganisation()
  const { database, system } = organisation
  let at = began.getTime()
  const clock = () => new Date(at)
  const sandbox = await startTestSandbox({ clock, stripe: { prices: [...standInPrices(seeded), ...own] } })
  const billing: BillingProvider = createStripe({
    secretKey: 'sk_test_sandbox',
    baseUrl: sandbox.urls.providers,
    now: () => at,
  })
  const told: DueAct[] = []
  const world = { database, billing, prices, billingPolicy: builtInBillingPolicy, clock }
  const { lookAtBilling } = createBillingLookActivities({
    ...world,
    system,
    keepPayer: createPayers({ database, system }),
    followUpNotices: () => Promise.resolve({ again: null }),
  })
  const { performAct, recordFailedAct } = createBillingActActivities({
    ...world,
    sendNotice: (due) => {
      told.push(due)
      return Promise.resolve({ status: 'sent', reason: null })
    },
    winBack: () => Promise.resolve({ status: 'done', outcome: null }),
  })
  const { carryOutRequest } = createBillingRequestActivities(world)

  return {
    ...organisation,
    sandbox,
    billing,
    told,
    clock,
    /** It is that late for Stripe, too, whom nobody may have asked for long. */
    follow(now: number): void {
      at = Math.max(at, now)
    },
    /** As a worker has them: time goes by as the workflows see it. */
    activities: {
      lookAtBilling: whenItIs(lookAtBilling),
      performAct: whenItIs(performAct),
      recordFailedAct: whenItIs(recordFailedAct),
      carryOutRequest: whenItIs(carryOutRequest),
    },
    /** An organisation that is a customer, and who plays it. */
    async newCustomer(name = 'A customer') {
      const [row] = await system<{ id: string }[]>`insert into organisations (name) values (${name}) returning id`
      const organisationId = row?.id ?? ''
      const key = `billing/${organisationId}/customer`
      const { customerId } = await billing.createCustomer({ organisationId, name, email: null }, key, never())
      await database.as(
        organisationId,
        (tx) => tx`insert into stripe_customers (stripe_id, created_at) values (${customerId}, ${clock()})`,
      )
      return player(organisationId, customerId)
    },
  }

  function whenItIs<Asked extends { now: number }, Answer>(activity: (asked: Asked) => Promise<Answer>) {
    return (asked: Asked): Promise<Answer> => {
      at = Math.max(at, asked.now)
      return activity(asked)
    }
  }

  function player(organisationId: string, customerId: string) {
    let next: BillingLook['next'] = null
    const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)
    /** As the workflow does: looks, does what is due, until nothing is. */
    async function settle(): Promise<BillingLook> {
      for (;;) {
        const seen = await lookAtBilling({ organisationId, now: at })
        for (const act of seen.acts) await performAct({ organisationId, act, now: at })
        next = seen.next
        if (seen.acts.length === 0) return seen
      }
    }
    return {
      organisationId,
      customerId,
      as,
      settle,
      /** Time goes by, with a look at each timer, and at the end. */
      async wait(days: number): Promise<BillingLook> {
        const until = at + days * dayMs
        while (next !== null && next.at <= until) {
          at = Math.max(at, next.at)
          await settle()
        }
        at = until
        return settle()
      },
      /** Nobody looks meanwhile. */
      sleep(days: number): void {
        at += days * dayMs
      },
      async startCheckout(
        setting: string,
        { card = 'pm_card_visa', trialDays = null, quantity = 1, meteredPriceIds = [] }: CheckoutTerms = {},
      ) {
        const isPack = setting.startsWith('STRIPE_PRICE_CALLS')
        const wanted = {
          customerId,
          priceId: prices[setting] ?? '',
          quantity,
          subscription: isPack ? null : { trialDays, meteredPriceIds },
          successUrl: 'https://customer.test/done',
          cancelUrl: 'https://customer.test/back',
        }
        const session = await billing.startCheckout(wanted, `checkout/${organisationId}/${at}/${setting}`, never())
        await sandbox.happen('stripe', { type: 'checkout.complete', sessionId: session.id, paymentMethod: card })
      },
      async checkOut(setting: string, terms?: CheckoutTerms) {
        await this.startCheckout(setting, terms)
        return settle()
      },
      startNewCard: (card: string) =>
        sandbox.happen('stripe', { type: 'portal.newCard', customer: customerId, paymentMethod: card }),
      async newCard(card: string) {
        await this.startNewCard(card)
        return settle()
      },
      /** From now on the bank says no to the card that the customer pays with; null: no longer. */
      async declineCard(declineCode: string | null = 'generic_decline') {
        const { card } = await this.facts()
        await sandbox.happen('stripe', { type: 'card.decline', paymentMethod: card?.id, declineCode })
      },
      /** As the API stores what is asked for; returns the id of the row. */
      async request(request: BillingRequest, actor = 'key:test'): Promise<string> {
        const [row] = await as(
          (tx) => tx<{ id: string }[]>`
            insert into billing_requests (kind, request, actor, created_at)
            values (${request.kind}, ${JSON.stringify(request)}::text::jsonb, ${actor}, ${clock()}) returning id`,
        )
        if (!row) throw new Error('insert returned no row')
        return row.id
      },
      /** And then the story carries it out. */
      async ask(request: BillingRequest, actor = 'key:test') {
        const requestId = await this.request(request, actor)
        const outcome = await carryOutRequest({ organisationId, requestId, now: at })
        return { ...outcome, requestId, look: await settle() }
      },
      facts: () =>
        as(async (tx) => {
          const [row] = await tx<{ facts: BillingFacts }[]>`select facts from billing_states`
          if (!row) throw new Error('nobody has looked')
          return row.facts
        }),
      timers: () =>
        as(async (tx) => {
          const [row] = await tx<{ timers: Timer[] }[]>`select timers from billing_states`
          return row?.timers ?? []
        }),
      subscriptions: () =>
        as(
          (tx) => tx<{ stripeId: string; state: string; access: string }[]>`
          select stripe_id, state, access from subscriptions order by created_at, stripe_id`,
        ),
      use: (key: string, amount: number) => as((tx) => burnUse(tx, { key, type: 'call_seconds', amount }, clock())),
      balances: () =>
        as((tx) => tx<{ type: string; balance: number }[]>`select type, balance from credit_accounts order by type`),
      timeline: () =>
        as(
          (tx) => tx<{ type: string; at: Date; details: Record<string, unknown> }[]>`
          select type, at, details from billing_events order by at, id`,
        ),
      cases: () =>
        as(
          (tx) => tx<{ invoiceId: string; status: string }[]>`
          select invoice_id, status from dunning_cases order by opened_at`,
        ),
      told: () => told.filter((due) => due.organisationId === organisationId).map(({ act }) => act),
    }
  }
}

interface CheckoutTerms {
  card?: string
  trialDays?: number | null
  quantity?: number
  meteredPriceIds?: readonly string[]
}

const never = () => AbortSignal.timeout(30_000)
