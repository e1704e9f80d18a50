import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import type { ActEnd } from '../../db/billing-acts.ts'
import type { Database } from '../../db/client.ts'
import { enrolContacts } from '../../db/cohorts.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import { lockSequence } from '../../db/sequences.ts'
import { findBillingContact } from '../../db/stripe-customers.ts'
import type { Act } from '../../workflows/contracts/subscriptions.ts'
import { type Clock, decisionTime } from '../clock.ts'

/**
 * Enrols the contact that stands for an organisation in the sequence by which the platform asks those back who have left. It is marketing:
 * whether it may be sent is decided there, by consent and suppression. Without such a sequence, or while it is not live, nothing is done.
 */
export function createWinBack(world: {
  database: Database
  system: Sql
  clock: Clock
  /** The sequence of the platform's; null: nobody is asked back. */
  winBackSequenceId: string | null
}) {
  const { database, system, clock, winBackSequenceId } = world
  return async (due: { organisationId: string; act: Act; now: number }): Promise<ActEnd> => {
    if (winBackSequenceId === null) return notDone('no_sequence')
    const contactId = await database.as(due.organisationId, findBillingContact)
    if (contactId === null) return notDone('no_contact')
    const now = decisionTime(clock, due.now)
    return database.as(await platformOrganisationId(system), async (tx) => {
      const sequence = await lockSequence(tx, winBackSequenceId)
      if (sequence?.status !== 'live') return notDone('sequence_not_live')
      const entry = {
        sequenceId: winBackSequenceId,
        contactIds: [contactId],
        source: due.act.key,
        requestId: randomUUID(),
        now,
      }
      const { refused } = await enrolContacts(tx, entry)
      const [refusal] = refused
      return refusal ? notDone(refusal.reason) : { status: 'done', outcome: null }
    })
  }
}

const notDone = (outcome: string): ActEnd => ({ status: 'done', outcome })
