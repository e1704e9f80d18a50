import { type Client, WorkflowUpdateFailedError } from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import { vi } from 'vitest'
import { createBillingActActivities, type DueAct } from '../../activities/billing/acts.ts'
import { createBillingLookActivities } from '../../activities/billing/look.ts'
import { createBillingRequestActivities } from '../../activities/billing/requests.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import type { Entitlements } from '../../workflows/contracts/entitlements.ts'
import {
  type BillingLook,
  carryOut,
  lookAgain,
  subscriptionId,
} from '../../workflows/contracts/subscription-lifecycle.ts'
import { type BillingFacts, builtInBillingPolicy } from '../../workflows/contracts/subscriptions.ts'
import { differingFacts, noFacts } from '../../workflows/rules/billing-differences.ts'
import { comparable, type Ended, ledgerAt } from './billing-ends.ts'
import { bringsCard, momentsOf, type Step, take } from './billing-lives.ts'
import { newPlace } from './billing-plays.ts'
import { dayMs, hourMs } from './billing-situations.ts'
import { delayOf, type Weather } from './billing-weather.ts'
import type { TestOrganisation } from './organisation.ts'
import { planOfPrices, priceIds, stripeInProcess } from './stripe-in-process.ts'

/** Between two moments at which something may happen to anybody. */
export const tickMs = 12 * hourMs

export interface StormyLife {
  life: readonly Step[]
  weather: Weather
}

interface TemporalPlace {
  organisation: TestOrganisation
  began: number
  client: Client
}

interface Asked {
  organisationId: string
  now: number
}

export type TemporalPlayer = Awaited<ReturnType<typeof newPlayer>>

/** Begins a life whose story is a workflow that runs already, or is about to. Its activities are the real ones, each life at a Stripe of its own. */
export async function newPlayer({ life, weather }: StormyLife, { organisation, began, client }: TemporalPlace) {
  const { database, system } = organisation
  const stripe = stripeInProcess(began, weather)
  const { billing } = stripe
  const { organisationId, as } = await newPlace(organisation, began)
  const { customerId } = await billing.createCustomer(
    { organisationId, name: 'A life', email: null },
    'customer',
    never(),
  )
  await as((tx) => tx`insert into stripe_customers (stripe_id, created_at) values (${customerId}, ${new Date(began)})`)
  const world = {
    database,
    billing,
    prices: priceIds,
    billingPolicy: builtInBillingPolicy,
    clock: () => new Date(stripe.now()),
  }
  const looking = createBillingLookActivities({
    ...world,
    system,
    keepPayer: () => Promise.resolve(),
    followUpNotices: () => Promise.resolve({ again: null }),
  })
  const acting = createBillingActActivities({
    ...world,
    sendNotice: () => Promise.resolve({ status: 'sent', reason: null }),
    winBack: () => Promise.resolve({ status: 'done', outcome: null }),
  })
  const asking = createBillingRequestActivities(world)
  const handle = client.workflow.getHandle(subscriptionId(organisationId))
  const { steps, endsAt } = momentsOf(life, began)
  const lastStepAt = Math.max(...steps.map(({ at }) => at))
  let coming: number[] = []
  let sent = 0
  let known = -1
  let idle = 0

  const player = {
    organisationId,
    ended: null as ReturnType<typeof comparable> | null,
    async begin(taskQueue: string) {
      await client.workflow.start('subscriptionLifecycle', {
        workflowId: subscriptionId(organisationId),
        taskQueue,
        // Its daily look is ours to draw.
        args: [{ organisationId, carried: { lookAt: began + 2_000 * dayMs } }],
      })
    },
    async leave() {
      await handle.terminate()
    },
    async look(asked: Asked): Promise<BillingLook> {
      // Ended stories would keep the server's clock, were they left with a task: they sleep.
      if (player.ended !== null)
        return { state: 'none', access: 'none', isFrozen: false, acts: [], requests: [], next: null, reportAt: null }
      follow(asked.now)
      const changes = stripe.changes()
      const seen = await looking.lookAtBilling(asked)
      if (seen.acts.length === 0) {
        known = changes
        idle += 1
      }
      return seen
    },
    async perform(due: DueAct) {
      follow(due.now)
      await acting.performAct(due)
    },
    fail: acting.recordFailedAct,
    async carryOut(asked: Asked & { requestId: string }) {
      follow(asked.now)
      return asking.carryOutRequest(asked)
    },
    /** What there is for it at this moment. */
    async live(now: number): Promise<void> {
      if (player.ended !== null) return
      follow(now)
      const due = steps.find(({ at }) => at >= now && at < now + tickMs)
      await listen()
      if (due) {
        await signalled()
        follow(due.at)
        await take(due.step, due.number, { customerId, billing, happen: stripe.happen, ask, use })
        await listen()
        if (bringsCard(due.step, due.number)) await signalled()
      }
      const isHeard = coming.some((at) => at <= now)
      coming = coming.filter((at) => at > now)
      // Once a day somebody looks, but for the last, which is left to reconciliation.
      const isDaily = (now - began) % dayMs === 0 && now < lastStepAt && known !== stripe.changes()
      if (isHeard || isDaily) await signalled()
      if (now >= endsAt) player.ended = await end()
    },
  }
  return player

  function follow(now: number): void {
    stripe.follow(Math.max(now, stripe.now()))
  }

  async function listen(): Promise<void> {
    const arrived = await stripe.arrivals()
    for (let count = 0; count < arrived; count += 1) {
      const late = delayOf(weather, (sent += 1), stripe.now())
      if (late !== null) coming.push(stripe.now() + late)
    }
  }

  /** Heard, and nothing is left to be done. */
  async function signalled(): Promise<void> {
    const before = idle
    await handle.signal(lookAgain)
    await vi.waitFor(() => (idle > before ? undefined : Promise.reject(new Error('nobody looks'))), {
      timeout: 60_000,
      interval: 5,
    })
  }

  async function ask(request: BillingRequest): Promise<void> {
    await signalled()
    const [asked] = await as(
      (tx) => tx<{ id: string }[]>`
        insert into billing_requests (kind, request, actor, created_at)
        values (${request.kind}, ${JSON.stringify(request)}::text::jsonb, 'key:test', ${new Date(stripe.now())})
        on conflict do nothing returning id`,
    )
    if (!asked) return
    try {
      await handle.executeUpdate(carryOut, { args: [asked.id] })
    } catch (error) {
      const isRefused = error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure
      if (!isRefused) throw error
    }
    await signalled()
  }

  async function use(key: string, amount: number): Promise<void> {
    await signalled()
    await as((tx) => burnUse(tx, { key, type: 'call_seconds', amount }, new Date(stripe.now())))
  }

  async function end() {
    const account = await billing.fetchAccount(customerId, planOfPrices, never())
    const facts = async () =>
      (await as((tx) => tx<{ facts: BillingFacts }[]>`select facts from billing_states`))[0]?.facts
    if (differingFacts((await facts()) ?? noFacts, account?.facts ?? noFacts).length > 0) await signalled()
    const ended = await as(async (tx): Promise<Omit<Ended, 'facts'>> => {
      const [entitlements] = await tx<Entitlements[]>`select access, features, limits from entitlements`
      const subscriptions = await tx<Ended['subscriptions']>`select stripe_id as id, state, access from subscriptions`
      const ledger = await ledgerAt(tx, new Date(stripe.now()))
      return { subscriptions, entitlements: entitlements ?? null, ledger }
    })
    return comparable({ ...ended, facts: (await facts()) ?? noFacts })
  }
}

const never = () => AbortSignal.timeout(30_000)
