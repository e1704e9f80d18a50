import { beforeEach, expect, test } from 'vitest'
import { recordCampaignState } from '../../db/campaigns.ts'
import { type Finding, recordFindings } from '../../db/findings.ts'
import { claimSearchPage } from '../../db/searches.ts'
import {
  type ClaimedVisit,
  claimVisit,
  recordVisit,
  releaseVisits,
  takeOverVisits,
  type VisitClaim,
} from '../../db/site-visits.ts'
import { queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()
let campaignId: string

const now = new Date('2026-01-05T12:00:00Z')
const siteCount = 30

beforeEach(async () => {
  campaignId = await campaignRow(database, organisationId)
  await database.as(organisationId, async (tx) => {
    const claimed = await claimSearchPage(tx, { campaignId, engine: 'list', fingerprint: 'list', page: 0 }, now)
    if (claimed.action !== 'ask') throw new Error('the page is new')
    const findings = Array.from({ length: siteCount }, (_, position): Finding => {
      const website = `site-${position}.${campaignId}.test`
      return {
        position,
        keys: [{ kind: 'domain', value: website }],
        name: null,
        website,
        phone: null,
        address: null,
        isAd: false,
      }
    })
    await recordFindings(tx, { campaignId, searchId: claimed.searchId, findings })
  })
})

const by = (activity: string, attempt = 1): VisitClaim => ({ campaignId, claim: activity, attempt })

async function claim(claimant: VisitClaim, limit: number, at = now): Promise<ClaimedVisit[]> {
  const claimed: ClaimedVisit[] = []
  await database.as(organisationId, (tx) => takeOverVisits(tx, claimant))
  while (claimed.length < limit) {
    const visit = await database.as(organisationId, (tx) =>
      claimVisit(tx, claimant, ['dns_not_found', 'http_status: 404'], at),
    )
    if (!visit) break
    claimed.push(visit)
  }
  return claimed
}

const scored = { score: 50, reasons: [], rulesVersion: 0 }

function record(claimant: VisitClaim, prospectId: string): Promise<boolean> {
  const read = { failure: null, failureDetail: null, analysis: { title: 'x' } }
  const marks = { change: 'new' as const, changed: [] }
  const outcome = { prospectId, ...read, ...scored, ...marks }
  return database.as(organisationId, (tx) => recordVisit(tx, claimant, outcome, now))
}

test('claimants at the same moment never get the same site, and together get all', async () => {
  const batches = await Promise.all(Array.from({ length: 10 }, (_, index) => claim(by(`activity-${index}`), 4)))
  const claimed = batches.flat().map(({ prospectId }) => prospectId)
  expect(new Set(claimed).size).toBe(claimed.length)
  const rest = await claim(by('last'), siteCount)
  expect(claimed.length + rest.length).toBe(siteCount)
})

test('the next attempt of a killed activity takes over its sites at once, others after a while', async () => {
  const first = await claim(by('killed', 1), 5)
  const other = await claim(by('other', 1), siteCount)
  expect(other.map((visit) => visit.prospectId)).not.toContain(first[0]?.prospectId)
  const second = await claim(by('killed', 2), siteCount)
  expect(second.map((visit) => visit.prospectId).sort()).toEqual(first.map((visit) => visit.prospectId).sort())
  const muchLater = new Date(now.getTime() + 16 * 60_000)
  expect(await claim(by('third'), siteCount, muchLater)).toHaveLength(siteCount)
})

test('an attempt that wakes up late records nothing over the one that took over', async () => {
  const [site] = await claim(by('frozen', 1), 1)
  if (!site) throw new Error('nothing claimed')
  await claim(by('frozen', 2), 1)
  expect(await record(by('frozen', 1), site.prospectId)).toBe(false)
  expect(await record(by('frozen', 2), site.prospectId)).toBe(true)
  expect(await record(by('frozen', 2), site.prospectId)).toBe(false)
})

test('while the campaign is paused nothing new is claimed, but what was read is recorded', async () => {
  const [site] = await claim(by('reader'), 1)
  if (!site) throw new Error('nothing claimed')
  const paused = { ...queuedCampaign, status: 'paused', stage: 'analyse', revision: 2 } as const
  await database.as(organisationId, (tx) => recordCampaignState(tx, campaignId, paused, now))
  expect(await claim(by('reader'), siteCount)).toHaveLength(0)
  expect(await record(by('reader'), site.prospectId)).toBe(true)
})

test('what a killed attempt was reading is free for all once the next attempt has looked, though the campaign is paused', async () => {
  await claim(by('killed', 1), 5)
  const paused = { ...queuedCampaign, status: 'paused', stage: 'analyse', revision: 2 } as const
  await database.as(organisationId, (tx) => recordCampaignState(tx, campaignId, paused, now))
  expect(await claim(by('killed', 2), siteCount)).toHaveLength(0)
  await database.as(organisationId, (tx) =>
    recordCampaignState(tx, campaignId, { ...paused, status: 'running', revision: 3 }, now),
  )
  expect(await claim(by('another'), siteCount)).toHaveLength(siteCount)
})

test('what a stopping worker gives back is free for the next', async () => {
  await claim(by('stopping'), 5)
  await database.as(organisationId, (tx) => releaseVisits(tx, by('stopping')))
  expect(await claim(by('next'), siteCount)).toHaveLength(siteCount)
})

test('a claimed site comes with what the campaign, and no other, was shown of it', async () => {
  await database.as(organisationId, async (tx) => {
    const other = await campaignRow(database, organisationId)
    await tx`
      with page as (
        insert into searches (campaign_id, engine, fingerprint, page, asked_at)
        values (${campaignId}, 'google', 'x', 0, now()), (${other}, 'google', 'x', 0, now()) returning id, campaign_id
      )
      insert into sightings (search_id, position, campaign_id, prospect_id, is_ad)
      select page.id, 0, page.campaign_id, prospect_id, page.campaign_id = ${campaignId}
      from page, (select prospect_id from site_visits where campaign_id = ${campaignId} order by prospect_id limit 1) as first`
  })
  const [first, second] = await claim(by('reader'), siteCount)
  expect(first).toMatchObject({ runsAds: true, sightings: 2 })
  expect(second).toMatchObject({ runsAds: false, sightings: 1 })
})

const looks = {
  newSite: { failure: null, failure_detail: null, analysis: { title: 'new' } },
  oldSite: { failure: null, failure_detail: null, analysis: { title: 'old' } },
  noSite: { failure: null, failure_detail: null, analysis: null },
  gone: { failure: 'dns_not_found', failure_detail: 'ENOTFOUND', analysis: null },
  pageGone: { failure: 'http_status', failure_detail: '404', analysis: null },
  busy: { failure: 'http_status', failure_detail: '503', analysis: null },
  outage: { failure: 'timeout', failure_detail: null, analysis: null },
}
type LookName = keyof typeof looks

/** What other campaigns' looks at the first business brought, the oldest first. */
async function lookedBefore(...names: LookName[]): Promise<void> {
  for (const [day, name] of names.entries()) {
    const other = await campaignRow(database, organisationId)
    const { failure, failure_detail, analysis } = looks[name]
    await database.as(
      organisationId,
      (tx) => tx`
        insert into site_visits (campaign_id, prospect_id, status, failure, failure_detail, analysis, finished_at)
        select ${other}, min(prospect_id::text)::uuid, 'done', ${failure}, ${failure_detail}, ${analysis && tx.json(analysis)},
          ${new Date(now.getTime() + day * 86_400_000)}
        from site_visits where campaign_id = ${campaignId}`,
    )
  }
}

test.each<[brought: LookName[], before: LookName]>([
  [['oldSite', 'newSite'], 'newSite'],
  [['newSite', 'outage', 'busy'], 'newSite'],
  [['oldSite', 'noSite', 'outage'], 'noSite'],
  [['oldSite', 'gone', 'outage'], 'gone'],
  [['oldSite', 'pageGone', 'outage'], 'pageGone'],
  [['busy', 'outage'], 'outage'],
])(
  'of looks that brought %j a claimed site comes with %s: passing failures only where there is no other',
  async (brought, before) => {
    await lookedBefore(...brought)
    const [first, second] = await claim(by('reader'), siteCount)
    const { failure, failure_detail: failureDetail, analysis } = looks[before]
    expect(first?.before).toEqual({ failure, failureDetail, analysis })
    expect(second?.before).toBeNull()
  },
)

test('a late write of an earlier state changes nothing', async () => {
  const write = (status: 'paused' | 'running', revision: number) =>
    database.as(organisationId, (tx) =>
      recordCampaignState(tx, campaignId, { ...queuedCampaign, status, stage: 'analyse', revision }, now),
    )
  expect(await write('running', 3)).toEqual({ recorded: true, revision: 3 })
  expect(await write('paused', 2)).toEqual({ recorded: false, revision: 3 })
  expect(await claim(by('reader'), 1)).toHaveLength(1)
})
