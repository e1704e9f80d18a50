import { z } from 'zod'
import { withDefault } from './sandbox-account-routes.ts'
import type { Act } from './sandbox-acts.ts'
import { completePaid, completeSession } from './sandbox-checkout.ts'
import { closeDispute, openDispute } from './sandbox-disputes.ts'
import { settlePaid } from './sandbox-invoices.ts'
import type { Charge } from './sandbox-money-objects.ts'
import { attach, succeed } from './sandbox-payments.ts'
import { SubscriptionUpdate, updateSubscription } from './sandbox-subscription-updates.ts'
import { own } from './sandbox-values.ts'

/** How the events of something are sent. */
const manner = {
  duplicates: z.int().min(1).max(10).optional(),
  reorder: z.boolean().optional(),
  seed: z.int().optional(),
}
const charged = { charge: z.string().optional(), paymentIntent: z.string().optional(), invoice: z.string().optional() }

/** What people, their banks and whoever sits at Stripe's dashboard do, and Stripe never does by itself. */
export const Happening = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('checkout.complete'),
    ...manner,
    sessionId: z.string(),
    paymentMethod: z.string().default('pm_card_visa'),
    email: z.string().optional(),
    name: z.string().optional(),
  }),
  /** On the billing portal, opened at `url` or for a customer: a card becomes the one that the customer pays by. */
  z.strictObject({
    type: z.literal('portal.newCard'),
    ...manner,
    customer: z.string().optional(),
    url: z.string().optional(),
    paymentMethod: z.string(),
  }),
  /** Somebody ends a trial at the dashboard, and its first payment is due. */
  z.strictObject({ type: z.literal('trial.end'), ...manner, subscription: z.string() }),
  /** The bank changes its mind about a card; without a code it says yes from now on. */
  z.strictObject({
    type: z.literal('card.decline'),
    ...manner,
    paymentMethod: z.string(),
    declineCode: z.string().nullable().default('generic_decline'),
  }),
  /** The person answers the bank's question about a payment. */
  z.strictObject({ type: z.literal('payment.authenticate'), ...manner, paymentIntent: z.string() }),
  z.strictObject({
    type: z.literal('dispute.open'),
    ...manner,
    ...charged,
    reason: z.string().default('fraudulent'),
    amount: z.int().positive().optional(),
    days: z.int().min(0).max(120).optional(),
  }),
  z.strictObject({ type: z.enum(['dispute.win', 'dispute.lose']), ...manner, disputeId: z.string() }),
  z.strictObject({ type: z.literal('refund.fail'), ...manner, refundId: z.string() }),
])
export type Happening = z.output<typeof Happening>

/** Throws a Refusal where there is no such thing, or the bank says no. */
export function happen(act: Act, event: Happening): void {
  switch (event.type) {
    case 'checkout.complete': {
      const session = act.need('checkout.session', event.sessionId, 'sessionId')
      if (session.status !== 'open') throw unfit('sessionId', 'the session is not open')
      return completeSession(act, session, event)
    }
    case 'portal.newCard': {
      const customer = act.need('customer', event.customer ?? visitorOf(act, event.url), 'customer')
      const method = attach(act, event.paymentMethod, customer.id)
      return void act.save(withDefault(customer, method.id), 'customer.updated')
    }
    case 'trial.end': {
      const subscription = act.need('subscription', event.subscription, 'subscription')
      if (subscription.status !== 'trialing') throw unfit('subscription', 'the subscription is in no trial')
      return void updateSubscription(act, subscription, SubscriptionUpdate.parse({ trial_end: 'now' }))
    }
    case 'card.decline': {
      const method = act.need('payment_method', event.paymentMethod, 'paymentMethod')
      return void act.save({ ...method, [own]: { ...method[own], verdict: event.declineCode ?? 'approved' } })
    }
    case 'payment.authenticate':
      return authenticate(act, event.paymentIntent)
    case 'dispute.open': {
      const { reason, amount, days } = event
      return void openDispute(act, disputable(act, event), { reason, amount, days })
    }
    case 'dispute.win':
    case 'dispute.lose': {
      const dispute = act.need('dispute', event.disputeId, 'disputeId')
      return void closeDispute(act, dispute, event.type === 'dispute.win' ? 'won' : 'lost')
    }
    case 'refund.fail':
      return failRefund(act, event.refundId)
  }
}

/** Whose page of the portal it is. */
function visitorOf(act: Act, url: string | undefined): string {
  if (url === undefined) throw unfit('customer', 'give a customer, or the url of a page of the portal')
  return act.need('billing_portal.session', url.split('/').at(-1) ?? '', 'url').customer
}

function authenticate(act: Act, id: string): void {
  const intent = act.need('payment_intent', id, 'paymentIntent')
  const method = intent.payment_method === null ? undefined : act.store.get('payment_method', intent.payment_method)
  if (intent.status !== 'requires_action' || !method)
    throw unfit('paymentIntent', 'the payment waits for no authentication')
  const { intent: paid } = succeed(act, intent, method)
  const invoice = paid[own].invoice === null ? undefined : act.store.get('invoice', paid[own].invoice)
  if (invoice?.status === 'open') settlePaid(act, invoice)
  completePaid(act, paid)
}

function disputable(
  act: Act,
  event: { charge?: string | undefined; paymentIntent?: string | undefined; invoice?: string | undefined },
): Charge {
  const invoice = event.invoice === undefined ? undefined : act.need('invoice', event.invoice, 'invoice')
  const ofInvoice =
    invoice && act.store.list('payment_intent', invoice.customer).find((one) => one[own].invoice === invoice.id)
  const intent =
    event.paymentIntent === undefined ? ofInvoice : act.need('payment_intent', event.paymentIntent, 'paymentIntent')
  const charge = act.store.get('charge', event.charge ?? intent?.latest_charge ?? '')
  if (charge?.status !== 'succeeded') throw unfit('charge', 'there is no such payment')
  if (charge.disputed) throw unfit('charge', 'the payment is disputed already')
  return charge
}

/** The money comes back: the card was closed meanwhile. */
function failRefund(act: Act, id: string): void {
  const refund = act.need('refund', id, 'refundId')
  if (refund.status !== 'succeeded') throw unfit('refundId', 'the refund has failed already')
  act.save({ ...refund, status: 'failed' }, 'refund.updated', 'refund.failed')
  const charge = act.need('charge', refund.charge)
  act.save({ ...charge, amount_refunded: charge.amount_refunded - refund.amount, refunded: false }, 'charge.updated')
}

function unfit(path: string, message: string): z.ZodError {
  return new z.ZodError([{ code: 'custom', path: [path], message, input: undefined }])
}
