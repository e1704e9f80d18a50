import { z } from 'zod'
import { type Fault, Plan, refuse, repeats } from './plans.schema.ts'
import { type Plan as CataloguePlan, mostPlans, type PlanKind } from './plans.ts'

/** What a plan takes up in the catalogue. */
export interface PlanPlace {
  key: string
  kind: PlanKind
  family: string
  rank: number
  /** Of all its versions. */
  settings: readonly string[]
}

/** What of a plan cannot be in the catalogue: beside the other plans, and after what it was itself. */
export function clashes(plan: CataloguePlan, catalogue: readonly PlanPlace[]): Fault[] {
  const faults: Fault[] = []
  const before = catalogue.find(({ key }) => key === plan.key) ?? plan
  for (const stays of ['kind', 'family'] as const) {
    if (before[stays] === plan[stays]) continue
    const message = `"${plan.key}" has the ${stays} ${before[stays]} for good: give that, or another key.`
    faults.push({ path: [stays], message })
  }
  const others = catalogue.filter(({ key }) => key !== plan.key)
  const relatives = others.filter(({ family }) => family === plan.family)
  const stranger = relatives.find(({ kind }) => kind !== plan.kind)
  if (stranger !== undefined) {
    const message = `The family "${plan.family}" is of the kind ${stranger.kind}: give that, or another family.`
    faults.push({ path: ['kind'], message })
  }
  const peer = relatives.find(({ rank }) => rank === plan.rank)
  if (peer !== undefined) {
    const message = `"${peer.key}" has the rank ${plan.rank} in the family "${plan.family}": give another.`
    faults.push({ path: ['rank'], message })
  }
  for (const [index, { setting, meters = [] }] of plan.prices.entries()) {
    const metered = meters.map((meter, place) => ({ ...meter, path: ['prices', index, 'meters', place, 'setting'] }))
    for (const named of [{ setting, path: ['prices', index, 'setting'] }, ...metered]) {
      const owner = others.find(({ settings }) => settings.includes(named.setting))
      if (owner === undefined) continue
      const message = `${named.setting} holds a price of "${owner.key}": give each price a setting of its own.`
      faults.push({ path: named.path, message })
    }
  }
  return faults
}

/** All that its prices name, metered ones included. */
function settingsOf({ prices }: CataloguePlan): string[] {
  return prices.flatMap(({ setting, meters = [] }) => [setting, ...meters.map((meter) => meter.setting)])
}

/** A whole catalogue, as a file has it. */
export const Catalogue = z
  .array(Plan)
  .max(mostPlans)
  .superRefine((plans, context) => {
    const places = plans.map((plan) => ({ ...plan, settings: settingsOf(plan) }))
    refuse(context, [
      ...repeats(plans.map(({ key }) => key)).map(({ value, index }) => ({
        path: [index, 'key'],
        message: `Two plans have the key "${value}".`,
      })),
      ...plans.flatMap((plan, index) =>
        clashes(plan, places.slice(0, index)).map(({ path, message }) => ({ path: [index, ...path], message })),
      ),
    ])
  })
