import type { Tx } from '../db/client.ts'
import { readEntitlements, usedOf } from '../db/entitlements.ts'
import { listPlans } from '../db/plans.ts'
import { type GrantedLimit, type PlanRefusal, windowOf } from '../workflows/contracts/entitlements.ts'
import { Problem } from './problem.ts'

/** What is refused to organisations whose plans lack it. Others of the catalogue's features are for people to keep. */
type Feature =
  | 'campaigns'
  | 'campaign-enrolment'
  | 'saved-searches'
  | 'scoring-rules'
  | 'sequences'
  | 'spreadsheet-export'

interface Demand {
  features: readonly Feature[]
  /** Whether it begins what costs, which reduced access does not allow. */
  isCostly?: boolean
  /** Whether it will pay for searches. */
  searches?: boolean
}

/** Throws a problem where what the organisation pays for does not allow that. Whoever never subscribed may do everything. */
export async function demand(
  tx: Tx,
  { features, isCostly = false, searches = false }: Demand,
  now: Date,
): Promise<void> {
  const entitlements = await readEntitlements(tx)
  if (entitlements === null) return
  const { access, limits } = entitlements
  if (access === 'none' || (access === 'reduced' && isCostly)) throw planProblem({ because: 'no_access', access }, now)
  const missing = features.find((feature) => !entitlements.features.includes(feature))
  if (missing !== undefined) throw await featureProblem(tx, missing)
  for (const limit of searches ? limits : []) {
    if (limit.act !== 'searches') continue
    const used = await usedOf(tx, limit, now)
    if (used >= limit.most) throw planProblem(refusalOf(limit, used, now), now)
  }
}

/** What is answered to whoever wants what the plans do not give now. */
export function planProblem(refusal: PlanRefusal, now: Date): Problem {
  const detail = refusalText(refusal)
  if (refusal.because === 'no_access') {
    const { access } = refusal
    const upgrade = access === 'none' ? '/api/v1/billing/checkout' : '/api/v1/billing/pay-now'
    return new Problem('payment_required', detail, { members: { access, upgrade } })
  }
  const { limit, used, until } = refusal
  const { act, most, per } = limit
  const members = { act, most, used, per, until: until === null ? null : new Date(until).toISOString() }
  const waitS = until === null ? null : Math.max(1, Math.ceil((until - now.getTime()) / 1000))
  return new Problem('limit_reached', detail, {
    members: { ...members, upgrade: '/api/v1/billing/change-plan' },
    ...(waitS !== null && { headers: { 'retry-after': String(waitS) } }),
  })
}

export function refusalText(refusal: PlanRefusal): string {
  if (refusal.because === 'no_access') {
    return refusal.access === 'none'
      ? 'The organisation has no access: subscribe to a plan, or pay what is open.'
      : 'A payment is overdue: until it is made nothing is begun that costs.'
  }
  const { limit, until } = refusal
  const when = until === null ? '' : ` until ${new Date(until).toISOString()}`
  return `The plan has ${limit.most} ${limit.act} ${per[limit.per]}, and they are used up${when}.`
}

const per: Record<GrantedLimit['per'], string> = { day: 'a day', period: 'a month', total: 'in all' }

function refusalOf(limit: GrantedLimit, used: number, now: Date): PlanRefusal {
  return { because: 'plan_limit', limit, used, until: windowOf(limit, now.getTime()).until }
}

async function featureProblem(tx: Tx, feature: Feature): Promise<Problem> {
  const offered = await listPlans(tx, { family: null, withRetired: false })
  const plans = offered.flatMap(({ definition }) =>
    definition.entitlements.features.includes(feature) ? [definition.key] : [],
  )
  const where = plans.length > 0 ? `: ${plans.join(', ')} ${plans.length === 1 ? 'has' : 'have'} it` : ''
  return new Problem('payment_required', `No plan of the organisation has the feature ${feature}${where}.`, {
    members: { feature, plans, upgrade: '/api/v1/billing/change-plan' },
  })
}
