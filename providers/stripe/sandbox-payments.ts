import type { Act } from './sandbox-acts.ts'
import { cardById, cardByNumber, verdictOf } from './sandbox-cards.ts'
import { openDispute } from './sandbox-disputes.ts'
import { type CardError, newCharge, type PaymentIntent } from './sandbox-money-objects.ts'
import { newPaymentMethod, type PaymentMethod } from './sandbox-objects.ts'
import { declined, invalid, missing } from './sandbox-refusals.ts'
import { own } from './sandbox-values.ts'

/** A payment method by its id; the ids of Stripe's test cards make a new one each time. */
export function methodBy(act: Act, id: string, customer: string | null, param = 'payment_method'): PaymentMethod {
  const card = cardById(id)
  if (card) return act.save(newPaymentMethod(act.now(customer), { card }))
  return act.need('payment_method', id, param)
}

/** Adds a card to a customer, unless its bank refuses already then. */
export function attach(act: Act, id: string, customer: string): PaymentMethod {
  const method = methodBy(act, id, customer)
  if (method.customer === customer) return method
  if (method.customer !== null)
    throw invalid('The payment method you provided has already been attached to a customer.')
  const { number, verdict } = method[own]
  const error = verdictOf({ number, verdict, isAttached: false, isPersonThere: true })
  if (error !== null && error !== 'asks') throw declined(error, null, false)
  return act.save({ ...method, customer }, 'payment_method.attached')
}

/** By what an attempt is paid: null where there is nothing. */
export function defaultMethod(act: Act, customer: string, ...ids: (string | null | undefined)[]): PaymentMethod | null {
  const general = act.store.get('customer', customer)?.invoice_settings.default_payment_method
  const id = [...ids, general].find((one) => one !== null && one !== undefined)
  const method = id === undefined || id === null ? undefined : act.store.get('payment_method', id)
  return method?.customer === customer ? method : null
}

interface Attempt {
  intent: PaymentIntent
  error: CardError | null
}

/** Asks the bank. An intent that afterwards `requires_action` waits for the person to answer their bank. */
export function pay(act: Act, intent: PaymentIntent, method: PaymentMethod, isPersonThere: boolean): Attempt {
  const verdict = verdictOf({ ...method[own], isAttached: method.customer !== null, isPersonThere })
  if (verdict === 'asks') {
    const url = `https://hooks.stripe.com/3d_secure_2/${intent.id}`
    const asking = {
      status: 'requires_action' as const,
      next_action: { type: 'redirect_to_url' as const, redirect_to_url: { return_url: null, url } },
    }
    return {
      intent: act.save({ ...intent, ...asking, payment_method: method.id }, 'payment_intent.requires_action'),
      error: null,
    }
  }
  return verdict === null ? succeed(act, intent, method) : fail(act, intent, method, verdict)
}

export function succeed(act: Act, intent: PaymentIntent, method: PaymentMethod): Attempt {
  const charge = act.save(newCharge(act.now(intent.customer), intent, method, null), 'charge.succeeded')
  const paid = {
    ...intent,
    amount_received: intent.amount,
    last_payment_error: null,
    latest_charge: charge.id,
    next_action: null,
    payment_method: method.id,
    status: 'succeeded' as const,
  }
  act.save(paid, 'payment_intent.succeeded')
  const reason = cardByNumber(method[own].number)?.disputes
  if (reason) openDispute(act, charge, { reason })
  return { intent: paid, error: null }
}

function fail(act: Act, intent: PaymentIntent, method: PaymentMethod, error: CardError): Attempt {
  const charge = act.save(newCharge(act.now(intent.customer), intent, method, error), 'charge.failed')
  const failed = {
    ...intent,
    last_payment_error: error,
    latest_charge: charge.id,
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method' as const,
  }
  return { intent: act.save(failed, 'payment_intent.payment_failed'), error }
}

export function detach(act: Act, method: PaymentMethod): PaymentMethod {
  if (method.customer === null) throw invalid('The payment method you provided is not attached to a customer.')
  const customer = act.store.get('customer', method.customer)
  if (customer?.invoice_settings.default_payment_method === method.id) {
    const settings = { ...customer.invoice_settings, default_payment_method: null }
    act.save({ ...customer, invoice_settings: settings }, 'customer.updated')
  }
  return act.save({ ...method, customer: null }, 'payment_method.detached')
}

export function needAttached(act: Act, id: string, customer: string, param: string): PaymentMethod {
  const method = act.need('payment_method', id, param)
  if (method.customer !== customer) throw missing('PaymentMethod', id, param)
  return method
}
