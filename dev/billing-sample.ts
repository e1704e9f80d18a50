import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { subscriptionId } from '../workflows/contracts/subscription-lifecycle.ts'
import { type ApiClient, ApiRefusal } from './api-client.ts'
import { type BillingEvent, readTimeline, timelineLine } from './billing-timeline.ts'
import { type Billing, creditsIn, creditsOfTrial, creditType, emailsTo, isOwing, readBilling } from './billing-views.ts'
import type { SampleContext, Story } from './stories.ts'
import { lookUpStory } from './story-look-ups.ts'
import { until } from './until.ts'

const name = 'Sample: a trial, a payment that fails, a new card'

/** The card is taken, and refuses whatever it is charged later. */
const failingCard = 'pm_card_chargeCustomerFail'
const goodCard = 'pm_card_mastercard'
const payer = 'owner@sample-customer.test'
/** Of the period's credits, each with the share that is then left and told of. */
const calls = [
  { share: 0.5, leaves: 50 },
  { share: 0.3, leaves: 20 },
  { share: 0.2, leaves: 0 },
]

/** Each step takes a second or two; a machine may be slow, or a process be started anew in between. */
const patienceMs = 60_000
/** Stripe counts time in whole seconds, and only a card of after the failure is a new one. */
const tickMs = 1_100

const sender = {
  channel: 'email',
  provider: 'resend',
  name: 'Throughline',
  address: 'billing@throughline.test',
  postalAddress: 'Throughline, 2 Main Street, Austin, TX 78701',
}

interface Playing {
  context: SampleContext
  /** As the organisation that subscribes, and as the platform's operators. */
  customer: ApiClient
  operator: ApiClient
}

/**
 * An organisation subscribes, runs out of credits, fails to pay, changes its card and has all of it again. What is still to be done follows from
 * how its billing stands, so that a start after a kill goes on there, and a story that is over is told again.
 */
export async function followBilling(playing: Playing, organisationId: string): Promise<Story> {
  const { context, customer, operator } = playing
  const { say, config } = context
  const workflowId = subscriptionId(organisationId)
  say(`\n${name} (${workflowId})`)
  await operator.post('/senders', sender, 'sample/billing/sender')

  if ((await readBilling(customer)).state === 'none') await subscribe(playing)
  if ((await readBilling(customer)).state === 'trialing') {
    await useUpCredits(playing)
    await endTrial(playing)
  }
  if (isOwing(await readBilling(customer))) await changeCard(playing)

  const timeline = await wholeTimeline(playing)
  const billing = await readBilling(customer)
  const { state, access } = billing
  const emails = await emailsTo(operator, payer)
  const ofCredits = { ...(await creditsOfTrial(customer)), after: creditsIn(billing).balance }
  say(`  ${state}, access ${access}, ${ofCredits.after} ${creditType}. What happened:`)
  for (const event of timeline) say(`    ${timelineLine(event)}`)
  say('  what was written to whoever pays:')
  for (const subject of emails) say(`    ${subject}`)

  return {
    name,
    ids: { organisationId },
    workflowId,
    ...(await lookUpStory(config, workflowId)),
    counts: { events: timeline.length, emails: emails.length },
    result: {
      status: 'completed',
      billing: { state, access, credits: ofCredits, timeline: timeline.map(({ type }) => type), emails },
    },
  }
}

const Checkout = z.object({ id: z.string(), expiresAt: z.string() })
const Portal = z.object({ url: z.string() })
const Used = z.object({ balance: z.number() })

async function subscribe({ context, customer }: Playing): Promise<void> {
  const sessionId = await openCheckout(customer, 'sample/billing/checkout')
  await happen(context, { type: 'checkout.complete', sessionId, paymentMethod: failingCard, email: payer })
  await untilStands(context, customer, 'subscribed', ({ state }) => state !== 'none')
  context.say('  it subscribes to Scout, by a card that will refuse to pay: the trial begins')
}

/** One that a start of yesterday opened can be paid no more: then the next is opened. */
async function openCheckout(customer: ApiClient, key: string): Promise<string> {
  const pages = { successUrl: 'https://sample-customer.test/paid', cancelUrl: 'https://sample-customer.test/plans' }
  const order = { planKey: 'scout', priceKey: 'monthly', ...pages }
  const { id, expiresAt } = Checkout.parse(await customer.post('/billing/checkout', order, key))
  return Date.parse(expiresAt) > Date.now() ? id : openCheckout(customer, `sample/billing/checkout/after/${expiresAt}`)
}

async function useUpCredits({ context, customer }: Playing): Promise<void> {
  const { granted } = creditsIn(
    await untilStands(context, customer, 'given credits', (one) => creditsIn(one).granted > 0),
  )
  for (const { share, leaves } of calls) {
    const amount = Math.round(granted * share)
    const { balance } = Used.parse(await call(customer, `sample/call/${leaves}`, amount))
    context.say(`  it uses ${amount} of ${granted} ${creditType}: ${balance} left`)
    await untilTold(context, customer, `that ${leaves} % are left`, ({ notice, step }) => {
      return (notice === 'credits_low' || notice === 'credits_exhausted') && step === leaves
    })
  }
  try {
    await call(customer, 'sample/call/too-long', 60)
  } catch (error) {
    if (!(error instanceof ApiRefusal) || error.status !== 402) throw error
    context.say(`  one more call is refused: ${error.status} ${error.code}`)
  }
}

function call(customer: ApiClient, key: string, amount: number): Promise<unknown> {
  return customer.post('/usage', { key, type: creditType, amount }, key)
}

async function endTrial({ context, customer }: Playing): Promise<void> {
  const { subscriptions } = await readBilling(customer)
  const trial = subscriptions.find(({ state }) => state === 'trialing')
  if (trial) await happen(context, { type: 'trial.end', subscription: trial.id })
  const { state, access } = await untilStands(context, customer, 'overdue', isOwing)
  context.say(`  its trial is ended, and the payment fails: ${state}, access ${access}`)
}

async function changeCard({ context, customer }: Playing): Promise<void> {
  await untilTold(context, customer, 'of the failed payment', ({ notice }) => notice === 'payment_failed')
  await wait(tickMs, undefined, { signal: context.signal })
  const returnUrl = 'https://sample-customer.test/billing'
  const { url } = Portal.parse(await customer.post('/billing/portal', { returnUrl }, crypto.randomUUID()))
  await happen(context, { type: 'portal.newCard', url, paymentMethod: goodCard })
  const { state } = await untilStands(context, customer, 'charged by the new card', (one) => !isOwing(one))
  context.say(`  it puts in another card, which is charged at once: ${state}`)
}

/** With the credits of the first period that was paid: they come a moment after the payment. */
async function wholeTimeline({ context, customer }: Playing): Promise<BillingEvent[]> {
  return until(patience(context, 'given the credits that it has paid for'), async () => {
    const { state } = await readBilling(customer)
    const timeline = await readTimeline(customer)
    const grants = timeline.filter(({ type }) => type === 'billing.grant_credits')
    return state === 'active' && grants.length < 2 ? undefined : timeline
  })
}

const patience = ({ signal }: SampleContext, what: string) => ({
  signal,
  patienceMs,
  otherwise: `the sample's customer was not ${what} in time`,
})

function untilStands(
  context: SampleContext,
  customer: ApiClient,
  what: string,
  is: (billing: Billing) => boolean,
): Promise<Billing> {
  return until(patience(context, what), async () => {
    const billing = await readBilling(customer)
    return is(billing) ? billing : undefined
  })
}

function untilTold(
  context: SampleContext,
  customer: ApiClient,
  what: string,
  is: (details: BillingEvent['details']) => boolean,
): Promise<BillingEvent> {
  return until(patience(context, `told ${what}`), async () =>
    (await readTimeline(customer)).find(({ type, details }) => type === 'billing.notice' && is(details)),
  )
}

/** People and their bank act at Stripe's pages. What an earlier start had happen is refused as past, and as good. */
async function happen(context: SampleContext, event: { type: string; [more: string]: string }): Promise<void> {
  const { urls, signal } = context
  const body = JSON.stringify({ provider: 'stripe', ...event })
  const { ok, status } = await until(patience(context, 'heard at Stripe'), () =>
    fetch(new URL('/_sandbox/events', urls.sandbox), { method: 'POST', body, signal }).catch(() => undefined),
  )
  if (!ok && status !== 400) throw new Error(`the sandbox answered ${status} to ${event.type}`)
}
