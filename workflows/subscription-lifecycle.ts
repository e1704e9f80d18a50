import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import {
  carryOut,
  lookAgain,
  type SubscriptionLifecycleInput,
  type SubscriptionView,
  subscriptionView,
} from './contracts/subscription-lifecycle.ts'
import { createAgenda } from './parts/agenda.ts'
import { createBillingDesk } from './parts/billing-desk.ts'
import { billingView } from './parts/billing-view.ts'
import { spreadOf } from './rules/spread.ts'

const dayMs = 86_400_000
/** How long until another look, where one fails for good: somebody has to mend something first. */
const repairMs = 3_600_000
const shownWithin = '3 seconds'
/** A run ends long before Temporal's limits. */
const eventsPerRun = 2_000

/**
 * An organisation and what it pays for, for years. Whatever is heard, from Stripe, from people or from the clock, says no more than that
 * something may have changed: the story looks at what holds now, does what is due by it, and looks again until nothing is.
 */
export async function subscriptionLifecycle(input: SubscriptionLifecycleInput): Promise<never> {
  const { organisationId, carried } = input
  const { runStartTime } = workflowInfo()
  // All organisations' daily looks at once would be too many for Stripe.
  const lookAt = carried?.lookAt ?? runStartTime.getTime() + dayMs / 2 + spreadOf(organisationId) * dayMs
  const desk = createBillingDesk(organisationId)
  const showBilling = billingView()
  const agenda = createAgenda(stir)
  const view: SubscriptionView = { state: 'none', access: 'none', isFrozen: false, next: null, seenAt: null }
  const looks = { begun: 0, ended: 0 }
  let isStirred = false
  bindMessages()

  for (;;) {
    isStirred = false
    looks.begun += 1
    const seen = await desk.look()
    looks.ended = looks.begun
    if (seen) {
      const { acts, requests, ...rest } = seen
      Object.assign(view, rest, { seenAt: Date.now() })
      showBilling(view)
      // What was done changes what there is to see.
      if ((await desk.perform(acts)) || (await desk.catchUp(requests))) isStirred = true
    } else {
      showBilling(view, 'repair')
    }
    if (Date.now() >= lookAt || runIsLong()) break
    if (!isStirred) await untilStirred(seen ? view.next : { at: Date.now() + repairMs, what: 'look again' })
    if (Date.now() >= lookAt) break
  }
  // The next run looks at once, for what comes from here on.
  await condition(allHandlersFinished)
  const nextLookAt = lookAt > Date.now() ? lookAt : Math.max(lookAt, Date.now() - dayMs) + dayMs
  return continueAsNew<typeof subscriptionLifecycle>({ organisationId, carried: { lookAt: nextLookAt } })

  function bindMessages(): void {
    setHandler(subscriptionView, () => view, { description: 'State, access, and what is to come' })
    setHandler(lookAgain, stir, { description: 'Something may have changed, at Stripe or in our rows: look.' })
    setHandler(
      carryOut,
      async (requestId) => {
        const outcome = await desk.carryOut(requestId)
        stir()
        // Whoever reads on being answered, or asks for the next thing, finds it done; unless Stripe keeps the look waiting.
        const next = looks.begun + 1
        await condition(() => looks.ended >= next, shownWithin)
        if (outcome.is === 'refused') throw ApplicationFailure.nonRetryable(outcome.code, outcome.code)
        return outcome.is
      },
      {
        validator: (requestId) => {
          if (typeof requestId === 'string' && requestId !== '') return
          throw ApplicationFailure.nonRetryable('the id of a request is needed', 'invalid_input')
        },
        description: 'Carry out what a person has asked for: the id of its row.',
      },
    )
  }

  async function untilStirred(next: SubscriptionView['next']): Promise<void> {
    const wakes = next && next.at < lookAt ? next : { at: lookAt, what: 'daily look' }
    agenda.wakeBy(wakes.at, wakes.what)
    await condition(() => isStirred)
  }

  function stir(): void {
    isStirred = true
  }

  function runIsLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo()
    return continueAsNewSuggested || historyLength > eventsPerRun
  }
}
