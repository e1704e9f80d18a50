import * as fc from 'fast-check'
import type { Act, BillingDecision, BillingSituation } from '../../workflows/contracts/subscriptions.ts'
import { decideBilling } from '../../workflows/rules/billing-decision.ts'
import { began, hourMs } from './billing-situations.ts'
import { BillingWorld, type Happening, kindsOfHappening as kinds } from './billing-world.ts'

const lifeHours = 24 * 120
/** Hours at which somebody looks. */
export const someMoments = fc.array(fc.double({ min: 0, max: lifeHours, noNaN: true }), { maxLength: 60 })

/** Lives of what happens, each kind as often as it is given. */
export const lifeOf = (happening: readonly Happening['is'][]): fc.Arbitrary<Happening[]> =>
  fc
    .array(
      fc.record({
        is: fc.constantFrom(...happening),
        hours: fc.oneof(fc.integer({ min: 0, max: lifeHours }), fc.integer({ min: 0, max: 24 * 10 })),
        pick: fc.nat(1_000),
      }),
      { minLength: 1, maxLength: 30 },
    )
    .map((all) => all.toSorted((one, other) => one.hours - other.hours))

export const someLife = lifeOf([...kinds, 'invoiceFails', 'invoiceFails', 'newCard', 'useCredits'])

export interface Lived {
  acts: { at: number; act: Act }[]
  last: BillingDecision
}

export interface Ways {
  /** Hours at which something is decided besides. */
  extra?: readonly number[]
  /** Whether we hear of what happens at once. */
  isHeard?: (happening: Happening) => boolean
  onDecision?: (decided: BillingDecision, of: BillingSituation) => void
}

/** Lives a life: something is decided whenever we hear of something and when a timer goes off; what is to be done is done. */
export function live(life: readonly Happening[], ways: Ways = {}): Lived {
  const { extra = [], isHeard = () => true, onDecision = () => {} } = ways
  const world = new BillingWorld()
  const acts: Lived['acts'] = []
  const ahead = [...life]
  // In the end somebody looks whom no webhook has called.
  const visits = [...extra.map((hours) => began + hours * hourMs), began + 2 * lifeHours * hourMs].toSorted(
    (one, other) => one - other,
  )
  let decided = decideAt(began)
  while (visits.length > 0) {
    const [happening] = ahead
    const happensAt = happening ? began + happening.hours * hourMs : Infinity
    const now = Math.min(happensAt, visits[0] ?? Infinity, decided.timers[0]?.at ?? Infinity)
    // A timer that goes off in the same moment is older than what happens in it.
    decided = decideAt(now)
    if (happening && happensAt === now) {
      ahead.shift()
      world.happen(happening, now, decided)
      if (isHeard(happening)) decided = decideAt(now)
    }
    if (visits[0] === now) visits.shift()
  }
  return { acts, last: decided }

  function decideAt(now: number): BillingDecision {
    for (;;) {
      const given = world.at(now)
      const decision = decideBilling(given)
      onDecision(decision, given)
      world.remember(decision)
      if (decision.acts.length === 0) return decision
      for (const act of decision.acts) {
        acts.push({ at: now, act })
        world.act(act, now)
      }
    }
  }
}
