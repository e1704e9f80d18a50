/** What an organisation may do by what it pays for. Moments are ms since the epoch. */
import type { LimitedAct, LimitPeriod } from './plans.ts'
import type { Access } from './subscriptions.ts'

/**
 * `reduced`: nothing that costs is begun, such as a search, and what is under way goes on; `none`: nor does that. Reading is always allowed.
 * An organisation that never subscribed has none of these, and nothing limits it.
 */
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

/** Why something is refused, for what is paid for: it waits for the access to come back, or for more of what is limited. */
export type PlanRefusal =
  | { because: 'no_access'; access: Exclude<Access, 'full'> }
  /** `until`: when the limit begins anew; null: never by itself. */
  | { because: 'plan_limit'; limit: GrantedLimit; used: number; until: number | null }

/** When what is used of a limit counts. */
export interface LimitWindow {
  from: number
  /** Exclusive; null: for good. */
  until: number | null
}

const dayMs = 24 * 60 * 60_000

/** A month that is over, because nobody has told of the next yet, is followed by others of its length. */
export function windowOf({ per, from, until }: GrantedLimit, now: number): LimitWindow {
  if (per === 'day') {
    const midnight = Math.floor(now / dayMs) * dayMs
    return { from: midnight, until: midnight + dayMs }
  }
  if (per === 'total' || from === null || until === null) return { from: 0, until: null }
  const missedMs = now < until ? 0 : Math.ceil((now + 1 - until) / (until - from)) * (until - from)
  return { from: from + missedMs, until: until + missedMs }
}
