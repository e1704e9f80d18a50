import { z } from 'zod'
import type { CheckoutWanted } from '../../activities/ports.ts'
import { listSubscriptions } from '../../db/billing-states.ts'
import { wakeBilling } from '../../db/billing-story.ts'
import type { Tx } from '../../db/client.ts'
import { findPlan } from '../../db/plans.ts'
import { findStripeCustomer } from '../../db/stripe-customers.ts'
import { dayMs, durationMs } from '../../workflows/rules/durations.ts'
import type { Handover } from '../handover.ts'
import { storyRequestId } from '../idempotency.ts'
import { invalidInput, Problem } from '../problem.ts'
import { askProvider, askUnderKey, type Refusals } from '../provider-calls.ts'
import { type Endpoint, route } from '../route.ts'
import { type Choice, ChosenPlan, chosen, noCustomer, ofFamily, PriceKey } from './billing-choices.ts'
import { customerOf } from './billing-customers.ts'
import { alreadySubscribed, type FamilyAtStripe, familyAtStripe, rivalAtStripe } from './billing-rivals.ts'
import { type BillingSource, billingOf } from './billing-source.ts'

const tag = 'Billing'

const mostAtOnce = 100

const WebAddress = z
  .url({ protocol: /^https?$/, error: 'Give an address that begins with https:// or http://.' })
  .max(2_000)

const Checkout = z
  .strictObject({
    planKey: ChosenPlan,
    priceKey: PriceKey,
    quantity: z
      .int()
      .min(1)
      .max(mostAtOnce)
      .default(1)
      .meta({ description: 'How many of what is bought once; a subscription is taken once' }),
    successUrl: WebAddress.meta({
      description: 'Where the person goes after paying',
      example: 'https://example.com/paid',
    }),
    cancelUrl: WebAddress.meta({ description: 'Where they go who give up', example: 'https://example.com/plans' }),
  })
  .meta({ id: 'BillingCheckout' })

const refusals: Refusals = {
  no_such_price: ['wrong_state', 'Stripe does not sell this price any more: choose another one from GET /plans.'],
  no_such_customer: ['wrong_state', 'Stripe does not know this organisation any more: the platform has to mend that.'],
  invalid_request: ['invalid_input', 'Stripe takes none of this: look at the addresses, and at the quantity.', ''],
}

const closedAlready =
  'This page is closed: another one was opened after it. Send the person there, or ask once more under another Idempotency-Key.'

export function billingCheckoutRoutes({
  billing,
  handover,
  stripePrices,
}: {
  billing: BillingSource
  handover: Pick<Handover, 'begin'>
  stripePrices: Readonly<Record<string, string>>
}): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/billing/checkout',
      permission: 'billing:write',
      tag,
      summary: 'Buy a plan',
      description: `Opens a page of Stripe's, where a person pays: send them to \`url\`. A subscription, credits or what is bought once, each by the
key of its plan. A first subscription begins with the plan's trial. One whose family the organisation has already is changed by
POST /billing/change-plan instead. Of the pages for subscriptions the one that was opened last stays open, also where several are asked for
at once: a 409 \`conflict\` says that another one came after this. What was bought shows in GET /billing once Stripe has told of it, seconds
after the payment.`,
      body: Checkout,
      example: {
        planKey: 'hunter',
        priceKey: 'monthly-149',
        successUrl: 'https://example.com/paid',
        cancelUrl: 'https://example.com/plans',
      },
      problems: ['wrong_state', 'conflict', 'not_allowed_now'],
      success: {
        status: 201,
        description: 'The page that is open',
        schema: z
          .strictObject({
            id: z.string().meta({ description: 'Of the checkout session at Stripe' }),
            url: z.string(),
            expiresAt: z.iso.datetime().meta({ description: 'Until then it can be paid' }),
          })
          .meta({ id: 'OpenCheckout' }),
      },
      async handler({ body, caller: { organisationId }, key, requestId, now, as }) {
        const provider = billingOf(billing)
        const { priceId, subscription, sole } = await as((tx) => offerOf(tx, body, stripePrices))
        const { quantity, successUrl, cancelUrl } = body
        const customerId = await customerOf({ organisationId, requestId, now, as }, { billing: provider, handover })
        const wanted = { customerId, priceId, quantity, subscription, successUrl, cancelUrl }
        // The same under the same key, and so one page; in another state of things it is another act.
        const act = storyRequestId(`checkout/${JSON.stringify(wanted)}`, key)
        const under = { key: `billing/${organisationId}/checkout/${act}`, now, refusals }
        const { id, url, expiresAt } = await askUnderKey(under, (underKey, signal) =>
          provider.startCheckout(wanted, underKey, signal),
        )
        if (sole !== null) {
          const isLast = await askProvider((signal) => provider.expireCheckouts(customerId, id, signal), refusals)
          // After the others are closed, so that none of them was paid unseen; whoever is refused has never seen this page.
          const rival = await rivalAtStripe(provider, customerId, sole, refusals)
          if (rival !== null) {
            handover.begin(await as((tx) => wakeBilling(tx, { organisationId, requestId }, now)))
            throw alreadySubscribed(rival, sole.family)
          }
          if (!isLast) throw new Problem('conflict', closedAlready)
        }
        return { body: { id, url, expiresAt: new Date(expiresAt).toISOString() } }
      },
    }),

    route({
      method: 'post',
      path: '/billing/portal',
      permission: 'billing:write',
      tag,
      summary: "Open Stripe's portal",
      description: `A page of Stripe's where a person changes the card, and sees the invoices: send them to \`url\` at once, it holds for minutes; ask
anew each time, without an Idempotency-Key. For an organisation that has checked out before.`,
      body: z.strictObject({ returnUrl: WebAddress.meta({ description: 'Where the page leads back to' }) }),
      example: { returnUrl: 'https://example.com/billing' },
      problems: ['wrong_state', 'not_allowed_now'],
      success: {
        status: 200,
        description: 'The page that is open',
        schema: z.strictObject({ url: z.string() }).meta({ id: 'OpenPortal' }),
      },
      async handler({ body: { returnUrl }, as }) {
        const provider = billingOf(billing)
        const customerId = await as(findStripeCustomer)
        if (customerId === null) throw noCustomer()
        const asked = { customerId, returnUrl }
        const { url } = await askProvider((signal) => provider.openPortal(asked, signal), refusals)
        return { body: { url } }
      },
    }),
  ]
}

interface Offer {
  priceId: Choice['priceId']
  subscription: CheckoutWanted['subscription']
  /** What there may be one subscription of; null: as many as one likes. */
  sole: FamilyAtStripe | null
}

async function offerOf(
  tx: Tx,
  body: z.output<typeof Checkout>,
  stripePrices: Readonly<Record<string, string>>,
): Promise<Offer> {
  const { plan, priceId, meteredPriceIds } = chosen(await findPlan(tx, body.planKey), body, stripePrices)
  if (plan.kind !== 'subscription') return { priceId, subscription: null, sole: null }
  if (body.quantity > 1) {
    throw invalidInput([{ pointer: '/quantity', detail: 'A subscription is taken once: give 1.' }])
  }
  const subscriptions = await listSubscriptions(tx)
  const [rival] = ofFamily(subscriptions, plan.family)
  if (rival !== undefined) throw alreadySubscribed(rival.stripeStatus, plan.family)
  // Stripe counts whole days.
  const trialDays = plan.trial === null ? null : Math.ceil(durationMs(plan.trial) / dayMs)
  const isFirst = subscriptions.every(({ stripeStatus }) => stripeStatus === 'incomplete_expired')
  const metered = meteredPriceIds.length > 0 ? { meteredPriceIds } : {}
  return {
    priceId,
    subscription: { trialDays: isFirst ? trialDays : null, ...metered },
    sole: await familyAtStripe(tx, plan.family, stripePrices),
  }
}
