import { recordBillingEvents } from '../../db/billing-acts.ts'
import { endRequest, lockRequest, nextRequestAttempt, type Requested } from '../../db/billing-requests.ts'
import type { Tx } from '../../db/client.ts'
import type { RequestOutcome } from '../../workflows/contracts/billing-requests.ts'
import { decisionTime } from '../clock.ts'
import { notFound } from '../failures.ts'
import { isRejected } from '../ports.ts'
import { keyOf, tryAgain } from './attempts.ts'
import type { BillingWorld } from './look.ts'
import { carryOutAtProvider, declined } from './request-kinds.ts'
import { carryOutInRows } from './request-rows.ts'

export type BillingRequestActivities = ReturnType<typeof createBillingRequestActivities>

export function createBillingRequestActivities(world: BillingWorld) {
  const { database, clock } = world
  return {
    /**
     * Does what a person has asked for, once, and writes down what came of it. Repeated, it answers the same. It throws while the provider gives
     * no answer: the request stays, and is done once it does.
     */
    async carryOutRequest(asked: { organisationId: string; requestId: string; now: number }): Promise<RequestOutcome> {
      const { organisationId, requestId } = asked
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
      const now = decisionTime(clock, asked.now)
      const inRows = await as(async (tx) => {
        const requested = await lockRequest(tx, requestId)
        if (requested === null) throw notFound('billing_request')
        const known = endOf(requested)
        if (known) return { requested, outcome: known }
        const outcome = await carryOutInRows(tx, requested, now)
        if (outcome) await end(tx, requested, outcome, now)
        return { requested, outcome }
      })
      if (inRows.outcome) return inRows.outcome
      const { requested } = inRows
      try {
        const key = keyOf(`billing/${organisationId}/request/${requestId}`, requested.attempt)
        const outcome = await carryOutAtProvider(world, { organisationId, requested, key, now })
        await as((tx) => end(tx, requested, outcome, now))
        return outcome
      } catch (error) {
        if (isRejected(error)) {
          const { code } = error
          const outcome: RequestOutcome = code === 'no_payment_method' ? declined(code) : { is: 'refused', code }
          await as((tx) => end(tx, requested, outcome, now))
          return outcome
        }
        return tryAgain(error, () => as((tx) => nextRequestAttempt(tx, requestId)))
      }
    },
  }
}

function endOf({ status, reason, declineCode }: Requested): RequestOutcome | null {
  if (status === 'requested') return null
  if (status === 'waiting' || status === 'done') return { is: status }
  if (declineCode !== null) return declined(declineCode)
  return { is: 'refused', code: status === 'refused' && reason !== null ? reason : 'wrong_state' }
}

async function end(tx: Tx, { id, request, actor }: Requested, outcome: RequestOutcome, now: Date): Promise<void> {
  const { kind, ...asked } = request
  await recordBillingEvents(tx, [
    { sourceKey: `request/${id}`, type: `request.${kind}`, at: now.getTime(), details: { ...asked, actor, outcome } },
  ])
  if (outcome.is === 'waiting') return
  const { code = null, declineCode = null } = outcome.is === 'refused' ? outcome : {}
  await endRequest(tx, id, { status: code === null ? 'done' : 'refused', reason: code, declineCode }, now)
}
