import type { Database, Tx } from '../../db/client.ts'
import { claimMeteredUses, type MeteredUse, recordReports } from '../../db/metered-usage.ts'
import { findStripeCustomer } from '../../db/stripe-customers.ts'
import { type Clock, decisionTime, later } from '../clock.ts'
import { needsRepair } from '../failures.ts'
import { type BillingProvider, isRejected, type ProviderError } from '../ports.ts'

export type MeteredUsageActivities = ReturnType<typeof createMeteredUsageActivities>

interface MeteredUsageWorld {
  database: Database
  billing: Pick<BillingProvider, 'reportUsage'>
  clock: Clock
}

/** Whatever is used so soon after the first goes with it: a busy organisation does not have its whole account read for each use. */
const gatherMs = 5 * 60_000
const mostAtOnce = 100
const lanes = 5
/** Below the time that an activity has. */
const providerMs = 40_000
/** Below the day for which Stripe knows an event again. */
const knownMs = 23 * 3_600_000

/** When what waits since then is reported. */
export const reportAtOf = (since: Date | null): number | null => since && since.getTime() + gatherMs

export function createMeteredUsageActivities({ database, billing, clock }: MeteredUsageWorld) {
  return {
    /**
     * Reports metered uses to the provider, the oldest hundred, each once: repeated after a kill it tells of them under the same identifiers.
     * What the provider refuses, and what may be known or not after a day, is put aside for people. Returns when the next are to be
     * reported: null when none waits.
     */
    async reportUsage(asked: { organisationId: string; now: number }): Promise<{ reportAt: number | null }> {
      const { organisationId } = asked
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
      const now = decisionTime(clock, asked.now)
      const claim = { limit: mostAtOnce, knownSince: later(now, -knownMs), now }
      const { customerId, uses } = await as(async (tx) => ({
        customerId: await findStripeCustomer(tx),
        uses: await claimMeteredUses(tx, claim),
      }))
      if (customerId === null) throw needsRepair('stripe:no_such_customer')
      const { failures, ...told } = await reportAll(uses, (use) => identify(use, organisationId, customerId))
      const since = await as((tx) => recordReports(tx, told, now))
      if (failures.length > 0) throw failures[0]
      return { reportAt: reportAtOf(since) }
    },
  }

  /** Stops at the first failure that is not of one use alone. */
  async function reportAll(uses: readonly MeteredUse[], identified: (use: MeteredUse) => Report) {
    const signal = AbortSignal.timeout(providerMs)
    const reported: string[] = []
    const refused: { key: string; code: string }[] = []
    const failures: unknown[] = []
    for (let from = 0; from < uses.length && failures.length === 0 && !signal.aborted; from += lanes) {
      await Promise.all(uses.slice(from, from + lanes).map(report))
    }
    return { reported, refused, failures }

    async function report(use: MeteredUse): Promise<void> {
      try {
        await billing.reportUsage(identified(use), signal)
        reported.push(use.key)
      } catch (error) {
        if (isOfOneUse(error)) refused.push({ key: use.key, code: error.code })
        else failures.push(error)
      }
    }
  }
}

type Report = Parameters<BillingProvider['reportUsage']>[0]

function identify({ key, meter, metered, at }: MeteredUse, organisationId: string, customerId: string): Report {
  return { customerId, meter, value: metered, identifier: `usage/${organisationId}/${key}`, at: at.getTime() }
}

/** Neither the key, nor the network, nor the rate. */
function isOfOneUse(error: unknown): error is ProviderError {
  return isRejected(error) && error.code !== 'invalid_credentials' && error.code !== 'no_key'
}
