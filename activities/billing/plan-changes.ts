import type { ActEnd } from '../../db/billing-acts.ts'
import { endRequest, lockRequest, type RequestEnd, type Requested } from '../../db/billing-requests.ts'
import { findBillingState } from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { meterOfPrices } from '../../db/plan-of-price.ts'
import { findPlan } from '../../db/plans.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import type { Plan } from '../../workflows/contracts/plans.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { againstChangeWithin } from '../../workflows/rules/plan-change-limits.ts'
import { aheadOfNextPeriod } from '../../workflows/rules/plan-change-times.ts'
import { decisionTime } from '../clock.ts'
import { type Charged, isRejected, type PriceChange, ProviderError } from '../ports.ts'
import { inTime } from './attempts.ts'
import type { BillingWorld } from './look.ts'

type ChangePlan = Extract<BillingRequest, { kind: 'change_plan' }>

interface NowChanged {
  organisationId: string
  request: ChangePlan
  key: string
  /** Though it waited for a period's end: the next is invoiced by the old plan already, or somebody has moved it. The difference is made up for. */
  isWithin?: boolean
}

/** The id at the provider of a plan's price; undefined: there is none. */
export async function priceOf(
  tx: Tx,
  { planKey, priceKey }: { planKey: string; priceKey: string },
  prices: BillingWorld['prices'],
): Promise<string | undefined> {
  const price = await planPrice(tx, { planKey, priceKey })
  return price && prices[price.setting]
}

async function planPrice(tx: Tx, { planKey, priceKey }: { planKey: string; priceKey: string }) {
  const plan = await findPlan(tx, planKey)
  return plan?.definition.prices.find(({ key }) => key === priceKey)
}

/** What is paid by use beside a plan's price, of all that the catalogue has; undefined: it has nothing such. */
async function meteredBeside(
  tx: Tx,
  { meters = [] }: Pick<Plan['prices'][number], 'meters'>,
  prices: BillingWorld['prices'],
): Promise<PriceChange['metered']> {
  const of = [...(await meterOfPrices(tx, prices)).keys()]
  if (of.length === 0) return undefined
  return { priceIds: meters.flatMap(({ setting }) => prices[setting] ?? []), of }
}

/** Changes what is subscribed to, and charges the difference at once: what is declined changes nothing. Throws ProviderError. */
export async function changePlanNow(
  { billing, database, prices }: BillingWorld,
  { organisationId, request, key, isWithin = false }: NowChanged,
): Promise<Charged> {
  const { priceId, metered } = await database.as(organisationId, async (tx) => {
    const price = await planPrice(tx, request)
    return { priceId: price && prices[price.setting], metered: price && (await meteredBeside(tx, price, prices)) }
  })
  if (priceId === undefined) throw new ProviderError('stripe', 'rejected', 'no_such_price')
  const { subscriptionId, when } = request
  const money = when === 'now' || isWithin ? 'with_proration' : 'without'
  const change = { subscriptionId, priceId, money, ...(metered && { metered }) } as const
  return billing.changePrice(change, key, inTime())
}

/** Makes a change whose time has come. One that was taken back meanwhile is not made. */
export async function applyWaitingChange(
  world: BillingWorld,
  {
    organisationId,
    requestId,
    key,
    ...due
  }: { organisationId: string; requestId: string; key: string; act: Act; now: number },
): Promise<ActEnd> {
  const { database, clock } = world
  const now = decisionTime(clock, due.now)
  const { requested, last } = await database.as(organisationId, async (tx) => ({
    requested: await lockRequest(tx, requestId),
    last: await findBillingState(tx),
  }))
  if (requested?.status !== 'waiting' || requested.request.kind !== 'change_plan') return endedBefore(requested)
  const { request } = requested
  const subscription = last?.facts.subscriptions.find(({ id }) => id === request.subscriptionId)
  const isWithin = subscription !== undefined && now.getTime() < aheadOfNextPeriod(subscription)
  const against = last && isWithin ? againstChangeWithin(subscription, last.facts) : null
  if (against) return await endAs({ status: 'refused', reason: against })
  try {
    const charged = await changePlanNow(world, { organisationId, request, key, isWithin })
    if (charged.is === 'paid') return await endAs({ status: 'done', reason: null })
    const declineCode = charged.is === 'declined' ? charged.code : null
    return await endAs({ status: 'refused', reason: 'payment_required', declineCode })
  } catch (error) {
    // Nobody waits for an answer: it would hold the place of the next for ever.
    if (!isRejected(error)) throw error
    return await endAs({ status: 'refused', reason: error.code })
  }

  async function endAs(end: RequestEnd): Promise<ActEnd> {
    await database.as(organisationId, (tx) => endRequest(tx, requestId, end, now))
    return actEnd(end)
  }
}

/** By an attempt that was killed before it could say so, or by whoever has taken it back. */
function endedBefore(requested: Requested | null): ActEnd {
  if (requested?.status !== 'done' && requested?.status !== 'refused') return { status: 'done', outcome: 'withdrawn' }
  const { status, reason, declineCode } = requested
  return actEnd({ status, reason, declineCode })
}

function actEnd({ status, reason, declineCode }: RequestEnd): ActEnd {
  return status === 'done' ? { status, outcome: null } : { status: 'failed', outcome: declineCode ?? reason }
}
