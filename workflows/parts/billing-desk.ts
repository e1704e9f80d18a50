import { isCancellation, proxyActivities } from '@temporalio/workflow'
import type { BillingActActivities } from '../../activities/billing/acts.ts'
import type { BillingLookActivities } from '../../activities/billing/look.ts'
import type { MeteredUsageActivities } from '../../activities/billing/metered-usage.ts'
import type { BillingRequestActivities } from '../../activities/billing/requests.ts'
import type { RequestOutcome } from '../contracts/billing-requests.ts'
import type { BillingLook } from '../contracts/subscription-lifecycle.ts'
import type { Act } from '../contracts/subscriptions.ts'
import { billingStep, databaseStep } from './activity-options.ts'
import { problemCode, unlessFailed } from './problems.ts'

/** Where an organisation's billing is looked at and worked on. */
export interface BillingDesk {
  /**
   * What Stripe has now, what it comes to and what is due; undefined when that fails until somebody mends it. Metered use that waits is reported with
   * it; if it cannot be, or there is more, that is what comes next.
   */
  look(): Promise<BillingLook | undefined>
  /** Does what is due, one after the other; tells whether anything was. */
  perform(acts: readonly Act[]): Promise<boolean>
  carryOut(requestId: string): Promise<RequestOutcome>
  /** Carries out what was left behind; tells whether anything was. */
  catchUp(requestIds: readonly string[]): Promise<boolean>
}

/** Between two looks, so that nothing else waits for long. */
const mostBatches = 10
/** What is due must not wait until Stripe takes reports again; it is asked often enough for a draft of an invoice, which waits an hour for them. */
const againMs = 10 * 60_000
const fewTries = { ...billingStep, retry: { ...billingStep.retry, maximumAttempts: 4 } }

export function createBillingDesk(organisationId: string): BillingDesk {
  return {
    async look() {
      const seen = await unlessFailed(
        atProvider('what Stripe has now').lookAtBilling({ organisationId, now: Date.now() }),
      )
      return seen && reported(seen)
    },
    async perform(acts) {
      for (const act of acts) await performOne(act)
      return acts.length > 0
    },
    carryOut,
    async catchUp(requestIds) {
      for (const requestId of requestIds) await unlessFailed(carryOut(requestId))
      return requestIds.length > 0
    },
  }

  function carryOut(requestId: string): Promise<RequestOutcome> {
    const options = { ...billingStep, summary: 'what a person asked for' }
    const asked = { organisationId, requestId, now: Date.now() }
    return proxyActivities<BillingRequestActivities>(options).carryOutRequest(asked)
  }

  async function reported(seen: BillingLook): Promise<BillingLook> {
    let { reportAt } = seen
    for (let batch = 0; batch < mostBatches && reportAt !== null && reportAt <= Date.now(); batch += 1) {
      const reporting = proxyActivities<MeteredUsageActivities>({ ...fewTries, summary: 'metered use' })
      const told = await unlessFailed(reporting.reportUsage({ organisationId, now: Date.now() }))
      reportAt = told ? told.reportAt : Date.now() + againMs
    }
    if (reportAt === null || (seen.next && seen.next.at <= reportAt)) return { ...seen, reportAt }
    return { ...seen, reportAt, next: { at: reportAt, what: 'report_usage' } }
  }

  async function performOne(act: Act): Promise<void> {
    const doing = { organisationId, act, now: Date.now() }
    try {
      await proxyActivities<BillingActActivities>({ ...billingStep, summary: nameOf(act) }).performAct(doing)
    } catch (error) {
      if (isCancellation(error)) throw error
      // Left undone it would be due again at the next look, without an end.
      await proxyActivities<BillingActActivities>(databaseStep).recordFailedAct({ ...doing, code: problemCode(error) })
    }
  }
}

const atProvider = (summary: string) => proxyActivities<BillingLookActivities>({ ...billingStep, summary })

/** For operators: ids of Stripe's are nobody's names. */
function nameOf(act: Act): string {
  if (act.is === 'notice' || act.is === 'tell_operator') return `${act.notice} (${act.step}): ${act.about}`
  return act.is
}
