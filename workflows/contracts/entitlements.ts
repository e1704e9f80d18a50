/** What an organisation may do by what it pays for. Moments are ms since the epoch. */
import type { LimitedAct, LimitPeriod } from './plans.ts'
import type { Access } from './subscriptions.ts'

/** An organisation that never subscribed has none of these, and nothing limits it. */
export interface Entitlements {
  access: Access
  features: string[]
  /** One at most of each act and period. What is not listed has no limit. */
  limits: GrantedLimit[]
}

export interface GrantedLimit {
  act: LimitedAct
  most: number
  /** `day`: by UTC. */
  per: LimitPeriod
  /** Of `period`: the month of it that runs; else null. */
  from: number | null
  until: number | null
}
