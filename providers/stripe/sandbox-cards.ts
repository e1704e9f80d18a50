import type { CardError } from './sandbox-money-objects.ts'

/** What a card does, by its number. A refusal is a decline code. */
export interface TestCard {
  number: string
  brand: 'visa' | 'mastercard' | 'amex' | 'discover'
  /** When it is charged at once by the person whom it belongs to, or added to a customer. */
  present?: string
  /** When a customer is charged whom it was added to. */
  later?: string
  /** The bank wants to see the person at every payment. */
  asks?: true
  /** The owner disputes whatever it pays. */
  disputes?: 'fraudulent'
}

const visa = (number: string, does: Omit<TestCard, 'number' | 'brand'> = {}): TestCard => ({
  number,
  brand: 'visa',
  ...does,
})
const declined = (number: string, code: string) => visa(number, { present: code, later: code })

/** As docs.stripe.com/testing has them: the id of the payment method, and the card behind it. */
const cards: Record<string, TestCard> = {
  pm_card_visa: visa('4242424242424242'),
  pm_card_visa_debit: visa('4000056655665556'),
  pm_card_mastercard: { number: '5555555555554444', brand: 'mastercard' },
  pm_card_amex: { number: '378282246310005', brand: 'amex' },
  pm_card_discover: { number: '6011111111111117', brand: 'discover' },
  pm_card_visa_chargeDeclined: declined('4000000000000002', 'generic_decline'),
  pm_card_visa_chargeDeclinedInsufficientFunds: declined('4000000000009995', 'insufficient_funds'),
  pm_card_visa_chargeDeclinedLostCard: declined('4000000000009987', 'lost_card'),
  pm_card_visa_chargeDeclinedStolenCard: declined('4000000000009979', 'stolen_card'),
  pm_card_visa_chargeDeclinedVelocityLimitExceeded: declined('4000000000006975', 'card_velocity_exceeded'),
  pm_card_chargeDeclinedExpiredCard: declined('4000000000000069', 'expired_card'),
  pm_card_chargeDeclinedIncorrectCvc: declined('4000000000000127', 'incorrect_cvc'),
  pm_card_chargeDeclinedProcessingError: declined('4000000000000119', 'processing_error'),
  pm_card_chargeCustomerFail: visa('4000000000000341', { later: 'generic_decline' }),
  pm_card_authenticationRequired: visa('4000002760003184', { asks: true }),
  pm_card_authenticationRequiredOnSetup: visa('4000002500003155'),
  pm_card_authenticationRequiredChargeDeclinedInsufficientFunds: visa('4000008260003178', {
    later: 'insufficient_funds',
  }),
  pm_card_createDispute: visa('4000000000000259', { disputes: 'fraudulent' }),
}

/** A card by its payment method's id, with or without the network in it, or by its token (`tok_visa`). */
export function cardById(id: string): TestCard | undefined {
  const name = id.replace(/^tok_/, 'pm_card_')
  return (
    cards[name] ??
    cards[name.replace(/^pm_card_/, 'pm_card_visa_')] ??
    cards[name.replace(/^pm_card_visa_/, 'pm_card_')]
  )
}

export function cardByNumber(number: string): TestCard | undefined {
  return Object.values(cards).find((card) => card.number === number)
}

interface Trial {
  number: string
  /** What its bank has been saying since it changed its mind: 'approved' or a decline code. */
  verdict: string | null
  /** To a customer; before, it is only a card that somebody shows. */
  isAttached: boolean
  isPersonThere: boolean
}

/** What a bank says to a payment: null for yes, `asks` where it wants to hear the person. */
export function verdictOf({ number, verdict, isAttached, isPersonThere }: Trial): CardError | 'asks' | null {
  if (verdict !== null) return verdict === 'approved' ? null : declineOf(verdict)
  const card = cardByNumber(number)
  const code = isAttached ? card?.later : card?.present
  if (code !== undefined) return declineOf(code)
  if (!card?.asks) return null
  return isPersonThere ? 'asks' : declineOf('authentication_required')
}

/** Codes that Stripe tells as an error of their own and not as a `card_declined`. */
const ownCodes: Record<string, string> = {
  expired_card: 'Your card has expired.',
  incorrect_cvc: "Your card's security code is incorrect.",
  processing_error: 'An error occurred while processing your card. Try again in a little bit.',
  authentication_required: 'Your card was declined. This transaction requires authentication.',
}

const messages: Record<string, string> = {
  insufficient_funds: 'Your card has insufficient funds.',
  card_velocity_exceeded:
    'Your card was declined for making repeated attempts too frequently or exceeding its amount limit.',
}

/** After these Stripe asks the bank no more: docs.stripe.com/billing/revenue-recovery/smart-retries. */
const hardCodes = new Set([
  'incorrect_number',
  'lost_card',
  'pickup_card',
  'stolen_card',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
  'authentication_required',
  'highest_risk_level',
  'transaction_not_allowed',
])

export function isHardDecline(declineCode: string): boolean {
  return hardCodes.has(declineCode)
}

function declineOf(declineCode: string): CardError {
  const isHard = hardCodes.has(declineCode)
  return {
    type: 'card_error',
    code: declineCode in ownCodes ? declineCode : 'card_declined',
    decline_code: declineCode,
    message: ownCodes[declineCode] ?? messages[declineCode] ?? 'Your card was declined.',
    advice_code: isHard ? 'do_not_try_again' : 'try_again_later',
  }
}
