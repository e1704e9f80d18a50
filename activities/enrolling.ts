import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { campaignCountry, campaignCounts, campaignIsRunning, findCampaign } from '../db/campaigns.ts'
import type { Database, Tx } from '../db/client.ts'
import { enrolContacts } from '../db/cohorts.ts'
import { PlanRefused } from '../db/entitlements.ts'
import type { Delivery } from '../db/outbox.ts'
import { contactsOfProspects, type ProspectPerson, sharingAnAddress } from '../db/prospect-contacts.ts'
import {
  enrolmentProgress,
  type ProspectEnrolment,
  type ProspectsToEnrol,
  recordProspectEnrolments,
  type UndecidedProspect,
  undecidedProspects,
} from '../db/prospect-enrolments.ts'
import { findSequenceVersion, lockSequence } from '../db/sequences.ts'
import { campaignId as workflowIdOf } from '../workflows/contracts/prospect-campaign.ts'
import type { CampaignRef } from './campaigns.ts'
import { type Clock, decisionTime } from './clock.ts'
import { needsRepair, notFound } from './failures.ts'
import { handOver } from './handing-over.ts'
import { whileHeartbeating } from './heartbeat.ts'
import { reportProgress } from './progress.ts'
import type { BatchResult } from './searches.ts'

export type EnrollingActivities = ReturnType<typeof createEnrollingActivities>

/** Few enough for a transaction of well under a second, for which others who enrol in the sequence wait. */
const prospectsPerPage = 200

/** What the steps of an enrolment share. */
interface Wanted extends ProspectsToEnrol {
  organisationId: string
  sequenceId: string
  country: string
}

export function createEnrollingActivities({
  database,
  system,
  stories,
  clock,
}: {
  database: Database
  system: Sql
  stories: Delivery
  clock: Clock
}) {
  return {
    /**
     * Lets the campaign's prospects enter its sequence, and keeps of each what became of it: whoever is decided about is left alone, so that
     * it may be done twice, at once, or again after a kill. Throws `sequence_not_live` where nobody may enter.
     */
    async enrolProspects({ organisationId, campaignId, now: workflowNow }: CampaignRef & { now: number }) {
      const as = <T>(step: (tx: Tx) => Promise<T>) => database.as(organisationId, step)
      const now = () => decisionTime(clock, workflowNow)
      const wanted = await as(async (tx): Promise<Wanted> => {
        const campaign = await findCampaign(tx, campaignId)
        const country = await campaignCountry(tx, campaignId)
        if (!campaign?.enrol || country === null) throw notFound('campaign')
        return { organisationId, campaignId, ...campaign.enrol, country }
      })
      let decided = 0

      return whileHeartbeating(
        () => ({ decided }),
        async (signal): Promise<BatchResult> => {
          for (;;) {
            signal.throwIfAborted()
            const page = await as((tx) => enrolPage(tx, wanted, now())).catch(orParked)
            if (page === null) return result(false)
            for (const workflowId of page.workflowIds) await handOver({ system, stories }, workflowId, now())
            decided += page.prospects
            if (page.prospects < prospectsPerPage) return result(true)
          }
        },
      )

      async function result(finished: boolean): Promise<BatchResult> {
        return { finished, counts: await as((tx) => campaignCounts(tx, campaignId)) }
      }
    },
  }
}

/** Once there is more room for contacts, it goes on with this page. */
function orParked(error: unknown): never {
  throw error instanceof PlanRefused ? needsRepair(error.refusal.because) : error
}

/** Decides about the next page of prospects and enrols those who may enter; null when the campaign does not run any more. */
async function enrolPage(
  tx: Tx,
  wanted: Wanted,
  now: Date,
): Promise<{ prospects: number; workflowIds: string[] } | null> {
  const { organisationId, campaignId, sequenceId, country } = wanted
  if (!(await campaignIsRunning(tx, campaignId))) return null
  const sequence = await lockSequence(tx, sequenceId)
  if (sequence?.status !== 'live') throw needsRepair('sequence_not_live')
  const entry = (await findSequenceVersion(tx, sequenceId, sequence.version))?.definition.entry

  const prospects = await undecidedProspects(tx, wanted, prospectsPerPage)
  const contacts = await contactsOfProspects(tx, prospects.flatMap(personOf), { organisationId, country, now })
  const sharing = await sharingAnAddress(tx, sequenceId, [...contacts.values()])
  const refusalOf = new Map<string, ProspectEnrolment>()
  for (const [contactId, { isUnderWay }] of sharing) {
    if (isUnderWay) refusalOf.set(contactId, 'already_under_way')
    else if (entry === 'once') refusalOf.set(contactId, 'entered_before')
  }
  const { refused, workflowIds } = await enrolContacts(tx, {
    sequenceId,
    contactIds: [...contacts.values()].filter((contactId) => !refusalOf.has(contactId)),
    source: workflowIdOf(campaignId),
    requestId: randomUUID(),
    now,
  })
  for (const { contactId, reason } of refused) refusalOf.set(contactId, reason)

  const decided = prospects.map((prospect) => ({ prospectId: prospect.prospectId, enrolment: decisionOn(prospect) }))
  await recordProspectEnrolments(tx, campaignId, decided)
  const stage = { name: 'enrol', count: () => enrolmentProgress(tx, wanted) }
  await reportProgress(tx, campaignId, 'prospect.enrolled', stage, now)
  return { prospects: prospects.length, workflowIds }

  function decisionOn(prospect: UndecidedProspect): ProspectEnrolment {
    if (personOf(prospect).length === 0) return 'no_email'
    const contactId = contacts.get(prospect.prospectId)
    return contactId === undefined ? 'not_found' : (refusalOf.get(contactId) ?? 'enrolled')
  }
}

/** None where nobody can be written to. A number that is none is left out. */
function personOf({ emails, phone, name, ...prospect }: UndecidedProspect): ProspectPerson[] {
  const [email] = emails
  if (email === undefined || email.length > longestAddress) return []
  const number = phone !== null && /^\+[1-9][0-9]{6,14}$/.test(phone) ? phone : null
  return [{ ...prospect, email, phone: number, name: name?.slice(0, longestName) ?? null }]
}

/** The longest that mail servers take (RFC 5321). */
const longestAddress = 254
const longestName = 200
