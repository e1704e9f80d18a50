import { type ActEnd, beginAct, endAct, nextAttempt } from '../../db/billing-acts.ts'
import type { Tx } from '../../db/client.ts'
import { clawBack, endGrant, giveBackClawed } from '../../db/credit-returns.ts'
import { grantCredits } from '../../db/credits.ts'
import type { MessageStatus } from '../../workflows/contracts/sending.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { decisionTime } from '../clock.ts'
import { inTime, keyOf, tryAgain } from './attempts.ts'
import { chargeEnd } from './charge-ends.ts'
import type { BillingWorld } from './look.ts'
import type { NoticeAct } from './notice-words.ts'
import { applyWaitingChange } from './plan-changes.ts'
import { topUp } from './top-ups.ts'

export type BillingActActivities = ReturnType<typeof createBillingActActivities>

/** An act that is due, for an organisation; `now` in ms since the epoch. */
export interface DueAct {
  organisationId: string
  act: Act
  now: number
}

export interface BillingActWorld extends BillingWorld {
  /** Tells a customer, or the operator, of something; once by the act's key. What is unclear is followed up by later looks. */
  sendNotice: (due: DueAct & { act: NoticeAct }) => Promise<{ status: MessageStatus; reason: string | null }>
  /** Has somebody who has left enrolled where they are asked back. */
  winBack: (due: DueAct & { act: Extract<Act, { is: 'win_back' }> }) => Promise<ActEnd>
}

export function createBillingActActivities(world: BillingActWorld) {
  const { database, billing, clock, sendNotice, winBack } = world
  return {
    /**
     * Does what is due, once by its key: claimed before, recorded after. What a provider declines is an end, too; it throws when it is to be
     * tried again, or when somebody has to mend something first.
     */
    async performAct(due: DueAct): Promise<void> {
      const { organisationId, act } = due
      const as = <T>(work: (tx: Tx) => Promise<T>) => database.as(organisationId, work)
      const begunAt = decisionTime(clock, due.now)
      const inRows = withinRows(act)
      if (inRows) {
        // As a whole or not at all: so what is remembered of it is what was done, whatever was decided anew meanwhile.
        await as(async (tx) => {
          const { isEnded } = await beginAct(tx, act, begunAt)
          if (!isEnded) await endAct(tx, act, await inRows(tx, begunAt), begunAt)
        })
        return
      }
      const { attempt, isEnded } = await as((tx) => beginAct(tx, act, begunAt))
      if (isEnded) return
      try {
        const end = await outside(due, keyOf(act.key, attempt))
        await as((tx) => endAct(tx, act, end, begunAt))
      } catch (error) {
        await tryAgain(error, () => as((tx) => nextAttempt(tx, act.key)))
      }
    },

    /** An act that fails whatever is tried is over, too, and shown as failed. `code`: why. */
    async recordFailedAct({ organisationId, act, now, code }: DueAct & { code: string }): Promise<void> {
      const at = decisionTime(clock, now)
      await database.as(organisationId, async (tx) => {
        await beginAct(tx, act, at)
        await endAct(tx, act, { status: 'failed', outcome: code }, at)
      })
    },
  }

  async function outside(due: DueAct, key: string): Promise<ActEnd> {
    const { organisationId, act } = due
    const signal = inTime()
    if (act.is === 'notice' || act.is === 'tell_operator') {
      const { status, reason } = await sendNotice({ ...due, act })
      return { status: 'done', outcome: reason ?? status }
    }
    if (act.is === 'win_back') return winBack({ ...due, act })
    if (act.is === 'charge') {
      if (act.because === 'drafted') await billing.finalizeInvoice(act.invoiceId, key, signal)
      return chargeEnd(await billing.payInvoice(act.invoiceId, act.cardId, key, signal))
    }
    if (act.is === 'change_plan')
      return applyWaitingChange(world, { ...due, organisationId, requestId: act.changeId, key })
    if (act.is === 'use_card') {
      await billing.useCard(act.subscriptionId, act.cardId, key, signal)
      return done
    }
    if (act.is === 'top_up') return topUp(world, { organisationId, act, key, signal })
    return done
  }
}

/** What needs our rows alone ends with them; null: it needs somebody else. */
export function withinRows(act: Act): ((tx: Tx, now: Date) => Promise<ActEnd>) | null {
  if (act.is === 'grant_credits') {
    const { key, type, amount, source, beginsPeriod } = act
    return async (tx, now) => {
      const expiresAt = act.expiresAt === null ? null : new Date(act.expiresAt)
      const rollsOver = act.rollsOver && { most: act.rollsOver.most, until: new Date(act.rollsOver.until) }
      await grantCredits(tx, { type, amount, source, sourceKey: key, expiresAt, rollsOver, beginsPeriod }, now)
      return done
    }
  }
  if (act.is === 'claw_back_credits') {
    const { key, grantKey, amount } = act
    return async (tx, now) => {
      const taken = await clawBack(tx, { grantKey, amount, sourceKey: key }, now)
      return taken.is === 'taken' ? done : nothingLeft
    }
  }
  if (act.is === 'give_back_credits') {
    const { key, grantKey, amount } = act
    return async (tx, now) => {
      const given = await giveBackClawed(tx, { grantKey, amount, sourceKey: key }, now)
      return given.is === 'given' ? done : nothingLeft
    }
  }
  if (act.is === 'end_credits') {
    const { grantKey } = act
    return async (tx, now) => ((await endGrant(tx, grantKey, now)) ? done : nothingLeft)
  }
  return null
}

const done: ActEnd = { status: 'done', outcome: null }
const nothingLeft: ActEnd = { status: 'done', outcome: 'nothing_left' }
