/** Credits: what an organisation has been granted or has bought, and uses up. Amounts are whole numbers of the type's smallest unit. */

/** Where credits come from. `purchase` and `top_up` were paid for. */
export const grantSources = ['plan', 'rollover', 'manual', 'purchase', 'top_up'] as const
export type GrantSource = (typeof grantSources)[number]

/** A type of which a subscription meters what credits do not cover, with the event that tells Stripe of it. */
export interface MeteredType {
  type: string
  event: string
}

/** `repaid`: a grant has paid for what was owed, or has that back. `given_back`: of what was clawed back. */
export const creditEntryKinds = [
  'granted',
  'burned',
  'reserved',
  'released',
  'expired',
  'repaid',
  'clawed_back',
  'given_back',
] as const
export type CreditEntryKind = (typeof creditEntryKinds)[number]

/** The shares of a period's credits, in per cent, that it is noted when burning has brought a balance to. */
export const lowCreditShares = [50, 20, 0] as const

/** At once. Thousands of such sums are still whole numbers in JSON. */
export const mostCredits = 1_000_000_000_000
