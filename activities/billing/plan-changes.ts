import type { ActEnd } from '../../db/billing-acts.ts'
import { endRequest, lockRequest, type Requested } from '../../db/billing-requests.ts'
import { findBillingState } from '../../db/billing-states.ts'
import type { Tx } from '../../db/client.ts'
import { meterOfPrices } from '../../db/plan-of-price.ts'
import { findPlan } from '../../db/plans.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import type { Plan } from '../../workflows/contracts/plans.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { decisionTime } from '../clock.ts'
import { type Charged, type PriceChange, ProviderError } from '../ports.ts'
import { inTime } from './attempts.ts'
import type { BillingWorld } from './look.ts'

type ChangePlan = Extract<BillingRequest, { kind: 'change_plan' }>

interface NowChanged {
  organisationId: string
  request: ChangePlan
  key: string
  /** The period that it waited for the end of is over, and the next invoiced by the old plan: the difference is made up for. */
  isLate?: boolean
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
  { organisationId, request, key, isLate = false }: NowChanged,
): Promise<Charged> {
  const { priceId, metered } = await database.as(organisationId, async (tx) => {
    const price = await planPrice(tx, request)
    return { priceId: price && prices[price.setting], metered: price && (await meteredBeside(tx, price, prices)) }
  })
  if (priceId === undefined) throw new ProviderError('stripe', 'rejected', 'no_such_price')
  const { subscriptionId, when } = request
  const money = when === 'now' || isLate ? 'with_proration' : 'without'
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
  const { request, dueAt } = requested
  const subscription = last?.facts.subscriptions.find(({ id }) => id === request.subscriptionId)
  const isLate = subscription?.items.some(({ period }) => period.startsAt > (dueAt?.getTime() ?? 0)) ?? false
  const charged = await changePlanNow(world, { organisationId, request, key, isLate })
  const isMade = charged.is === 'paid'
  const declineCode = charged.is === 'declined' ? charged.code : null
  const reason = declineCode === null ? null : 'payment_required'
  const end = { status: isMade ? 'done' : 'refused', reason, declineCode } as const
  await database.as(organisationId, (tx) => endRequest(tx, requestId, end, now))
  return { status: isMade ? 'done' : 'failed', outcome: declineCode }
}

/** By an attempt that was killed before it could say so, or by whoever has taken it back. */
function endedBefore(requested: Requested | null): ActEnd {
  if (requested?.status === 'refused') return { status: 'failed', outcome: requested.declineCode ?? requested.reason }
  return { status: 'done', outcome: requested?.status === 'done' ? null : 'withdrawn' }
}
