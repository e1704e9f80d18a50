import type { Plan } from '../contracts/plans.ts'

type Entitlements = Plan['entitlements']

/** What an organisation has of what counts at any one time, and the features that something goes on with. */
export interface UseNow {
  total: Readonly<Partial<Record<Entitlements['limits'][number]['act'], number>>>
  features: readonly string[]
}

/** What keeps an organisation from a plan. */
export type Over =
  | { what: 'contacts' | 'searches' | 'messages'; used: number; most: number }
  | { what: 'feature'; feature: string }

export interface PlanFit {
  /** Empty: it fits. */
  over: Over[]
  /** What it could do before, and cannot any more, used or not. */
  losesFeatures: string[]
}

/**
 * Whether an organisation fits into the plans that it will have. What is used up of a period ends with that, and keeps nobody. Nor does
 * a limit that is no lower than the one that holds. Of several plans the limits add up; what one of them does not limit has no limit.
 */
export function fitPlans(now: readonly Entitlements[], then: readonly Entitlements[], use: UseNow): PlanFit {
  const features = new Set(then.flatMap((one) => one.features))
  const losesFeatures = [...new Set(now.flatMap((one) => one.features))].filter((one) => !features.has(one)).sort()
  const acts = [...new Set(then.flatMap(({ limits }) => limits.map(({ act }) => act)))]
  return {
    over: [
      ...acts.flatMap((what): Over[] => {
        const most = totalOf(then, what)
        const used = use.total[what] ?? 0
        return used > most && most < totalOf(now, what) ? [{ what, used, most }] : []
      }),
      ...losesFeatures
        .filter((feature) => use.features.includes(feature))
        .map((feature): Over => ({ what: 'feature', feature })),
    ],
    losesFeatures,
  }
}

/** Without any plan nothing limits. */
function totalOf(plans: readonly Entitlements[], act: string): number {
  const limits = plans.map((plan) => plan.limits.find((limit) => limit.act === act && limit.per === 'total')?.most)
  return limits.length === 0 ? Infinity : limits.reduce<number>((sum, most) => sum + (most ?? Infinity), 0)
}
