import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { beforeEach, expect, test } from 'vitest'
import { createEnrollingActivities } from '../../activities/enrolling.ts'
import { addressHash } from '../../db/addresses.ts'
import { recordCampaignState } from '../../db/campaigns.ts'
import { createOrganisation } from '../../db/organisations.ts'
import type { Delivery, OutboxRow } from '../../db/outbox.ts'
import { prospectEnrolmentCounts } from '../../db/prospect-enrolments.ts'
import { setSequenceStatus } from '../../db/sequences.ts'
import { suppressAddress } from '../../db/suppressing.ts'
import { queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'
import { testOrganisation } from '../support/organisation.ts'
import { sequenceRow } from '../support/sequence-rows.ts'
import { faultless, visitRows } from '../support/visit-rows.ts'

const { database, system } = await testOrganisation()
const now = new Date('2026-01-05T12:00:00Z')

let organisationId: string
let sequenceId: string
beforeEach(async () => {
  organisationId = (await createOrganisation(system, 'Test', 'US')).id
  sequenceId = await sequenceRow(database, organisationId)
})

const as: <T>(work: Parameters<typeof database.as<T>>[1]) => Promise<T> = (work) => database.as(organisationId, work)
const aCampaign = (minScore = 50) =>
  campaignRow(database, organisationId, { stage: 'enrol' }, { enrol: { sequenceId, minScore } })
const seed = (campaignId: string, visits: Parameters<typeof visitRows>[3]) =>
  visitRows(database, organisationId, campaignId, visits)
const withEmail = (...emails: string[]) => ({ score: 60, analysis: { ...faultless, emails } })
const countsOf = (campaignId: string) => as((tx) => prospectEnrolmentCounts(tx, campaignId))

interface Told extends Delivery {
  delivered: OutboxRow[]
}

function aDelivery(): Told {
  const delivered: OutboxRow[] = []
  return {
    delivered,
    deliver: async (row) => {
      delivered.push(row)
    },
    isFinal: () => false,
    codeOf: () => 'away',
  }
}

function enrol(campaignId: string, stories: Delivery = aDelivery()) {
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
  const { enrolProspects } = createEnrollingActivities({ database, system, stories, clock: () => now })
  return environment.run(enrolProspects, { organisationId, campaignId, now: 0 })
}

const enrolments = () =>
  as(
    (tx) => tx<{ email: string; source: string; properties: object; phone: string | null; country: string | null }[]>`
      select email, source, properties, phone, country from enrolments join contacts on contacts.id = contact_id
      order by email`,
  )

test('prospects above the score with an address become contacts and enter; of the others it is kept why not', async () => {
  const campaignId = await aCampaign()
  await seed(campaignId, [
    { ...withEmail('ann@bakery.test', 'info@bakery.test'), phone: '+15125550100' },
    { ...withEmail('low@bakery.test'), score: 49 },
    withEmail(),
    { failure: 'dns_not_found', score: 60 },
    withEmail('stop@bakery.test'),
  ])
  const stopped = { channel: 'email', purpose: 'marketing', reason: 'unsubscribed', actor: 'test' } as const
  await as((tx) =>
    suppressAddress(
      tx,
      {
        ...stopped,
        organisationId,
        addressHash: addressHash(organisationId, 'email', 'stop@bakery.test'),
        contactId: null,
        sourceKey: 'test',
        occurredAt: now,
      },
      { requestId: 'test', now },
    ),
  )
  const stories = aDelivery()
  expect(await enrol(campaignId, stories)).toMatchObject({ finished: true })
  expect(await countsOf(campaignId)).toEqual({ enrolled: 1, refused: { no_email: 2, suppressed: 1 } })
  expect(await enrolments()).toEqual([
    {
      email: 'ann@bakery.test',
      source: `campaign/${campaignId}`,
      properties: { name: 'Business 0', website: 'business-0.test', score: 60 },
      phone: '+15125550100',
      country: 'US',
    },
  ])
  expect(stories.delivered).toMatchObject([{ name: 'dripSequence', signal: 'seatsTaken', signalArgs: { upTo: 1 } }])
})

test('hundreds, page by page, by two attempts at once and once more after that, enter once', async () => {
  const campaignId = await aCampaign()
  await seed(
    campaignId,
    Array.from({ length: 450 }, (_, n) => withEmail(`owner-${n}@shops.test`)),
  )
  await Promise.all([enrol(campaignId), enrol(campaignId)])
  await enrol(campaignId)
  expect(await countsOf(campaignId)).toEqual({ enrolled: 450, refused: {} })
  expect(await enrolments()).toHaveLength(450)
})

test('whom an earlier campaign has enrolled enters no more, and what is new does', async () => {
  const first = await aCampaign()
  await seed(first, [withEmail('ann@bakery.test')])
  await enrol(first)
  const again = await aCampaign()
  await seed(again, [withEmail('new@bakery.test')])
  await as(
    (tx) => tx`
      insert into site_visits (campaign_id, prospect_id, url, status, analysis, score, reasons)
      select ${again}, prospect_id, url, status, analysis, 80, reasons from site_visits where campaign_id = ${first}`,
  )
  await enrol(again)
  expect(await countsOf(again)).toEqual({ enrolled: 1, refused: { already_under_way: 1 } })
  expect(await enrolments()).toMatchObject([{ email: 'ann@bakery.test', properties: { score: 80 } }, {}])
})

test('one address is written to once, whichever contacts have it, and an own contact stays as it is known', async () => {
  const hash = addressHash(organisationId, 'email', 'ann@bakery.test')
  await as(
    (tx) => tx`
      insert into contacts (external_id, email, email_hash, properties)
      values ('u1', 'Ann@bakery.test', ${hash}, '{"name": "Ann"}')`,
  )
  const campaignId = await aCampaign()
  await seed(campaignId, [withEmail('ann@bakery.test'), withEmail('ann@bakery.test')])
  await enrol(campaignId)
  expect(await countsOf(campaignId)).toEqual({ enrolled: 1, refused: { already_under_way: 1 } })
  expect(await enrolments()).toMatchObject([{ email: 'Ann@bakery.test', properties: { name: 'Ann', score: 60 } }])
})

test.each(['draft', 'paused', 'archived'] as const)(
  'while its sequence is %s nobody enters, and that is said',
  async (status) => {
    const campaignId = await aCampaign()
    await seed(campaignId, [withEmail('ann@bakery.test')])
    await as((tx) => setSequenceStatus(tx, sequenceId, status, now))
    await expect(enrol(campaignId)).rejects.toMatchObject({ message: 'sequence_not_live', nonRetryable: true })
    expect(await countsOf(campaignId)).toEqual({ enrolled: 0, refused: {} })
    await as((tx) => setSequenceStatus(tx, sequenceId, 'live', now))
    await enrol(campaignId)
    expect(await countsOf(campaignId)).toEqual({ enrolled: 1, refused: {} })
  },
)

test('a campaign that is paused enrols nobody, and says that there is more to do', async () => {
  const campaignId = await aCampaign()
  await seed(campaignId, [withEmail('ann@bakery.test')])
  const paused = { ...queuedCampaign, status: 'paused', stage: 'enrol', revision: 9 } as const
  await as((tx) => recordCampaignState(tx, campaignId, paused, now))
  expect(await enrol(campaignId)).toMatchObject({ finished: false })
  expect(await enrolments()).toEqual([])
})

test('while Temporal is away people are enrolled, and their story is told later', async () => {
  const campaignId = await aCampaign()
  await seed(campaignId, [withEmail('ann@bakery.test')])
  const away = { ...aDelivery(), deliver: () => Promise.reject(new Error('away')) }
  expect(await enrol(campaignId, away)).toMatchObject({ finished: true })
  expect(await as((tx) => tx`select status from outbox`)).toEqual([{ status: 'pending' }])
})

test('where the plans have no room for a page of them, nobody of it enters until there is', async () => {
  const campaignId = await aCampaign()
  await seed(campaignId, [withEmail('a@room.test'), withEmail('b@room.test'), withEmail('c@room.test')])
  await entitle(database, organisationId, { limits: [limitOf('contacts', 2, 'total')] })
  await expect(enrol(campaignId)).rejects.toMatchObject({ message: 'plan_limit', nonRetryable: true })
  expect(await enrolments()).toEqual([])
  await entitle(database, organisationId, { limits: [limitOf('contacts', 3, 'total')] })
  await enrol(campaignId)
  expect(await countsOf(campaignId)).toMatchObject({ enrolled: 3 })
})
