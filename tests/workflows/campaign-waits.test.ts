import { describe, expect, test, vi } from 'vitest'
import { replaceSheetPeople } from '../../db/campaigns.ts'
import { wakeForEntitlements } from '../../db/entitlements.ts'
import { allowSearches } from '../../db/organisations.ts'
import { deliverDue } from '../../db/outbox.ts'
import { prospectEnrolmentCounts } from '../../db/prospect-enrolments.ts'
import { setSequenceStatus } from '../../db/sequences.ts'
import { findSheetExport } from '../../db/sheet-exports.ts'
import { monthOf } from '../../db/spend.ts'
import { usageByMonth } from '../../db/usage.ts'
import { StoryRefused } from '../../temporal-config/stories.ts'
import { storiesQueue } from '../../temporal-config/task-queues.ts'
import {
  approveCampaign,
  pauseCampaign,
  resumeCampaign,
  setCampaignBudget,
  campaignId as workflowIdOf,
} from '../../workflows/contracts/prospect-campaign.ts'
import { entitle, limitOf } from '../support/entitlement-rows.ts'
import { sequenceRow } from '../support/sequence-rows.ts'
import { listOf, skippingCampaigns } from '../support/skipping-campaigns.ts'

const skipping = await skippingCampaigns()

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  if (!skipping) return
  const { environment, organisation, sandbox, world, countsOf, eventsOf } = skipping
  const { database, organisationId } = organisation

  const florists = { engine: 'google', query: 'florist', location: 'Dallas, Texas', limit: 30 } as const
  const isWaitingFor = async (id: string, waitingFor: string, problem: string | null) =>
    vi.waitFor(async () => {
      expect(await world.campaign(id)).toMatchObject({ status: 'waiting', waitingFor, problem })
    }, patience)

  test('at its budget a campaign waits, and goes on when more is approved, up to the new ceiling', async () => {
    await using _ = await world.work()
    const id = await world.start({ searches: [florists] }, { budgetSearches: 1 })
    await isWaitingFor(id, 'budget', 'campaign_budget')
    expect((await countsOf(id)).searchesPaid).toBe(1)
    const ask = (searches: number, key: string) =>
      world.stories.update(workflowIdOf(id), setCampaignBudget, { updateId: key, args: [searches, 'system'] })
    expect(await ask(2, 'b1')).toMatchObject({ status: 'running', budget: 2 })
    await isWaitingFor(id, 'budget', 'campaign_budget')
    expect((await countsOf(id)).searchesPaid).toBe(2)
    await expect(ask(-1, 'b2')).rejects.toMatchObject({ code: 'wrong_budget' })
    await ask(20, 'b3')
    await world.ended(id)
    const { searchesPaid } = await countsOf(id)
    expect(searchesPaid).toBeGreaterThan(2)
    const asked = (await sandbox.requests({ provider: 'serpapi' })).filter(({ path }) => path.includes('Dallas'))
    expect(asked.filter(({ billed }) => billed)).toHaveLength(searchesPaid)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null, budgetSearches: 20 })
  })

  test("at its organisation's monthly allowance a campaign waits, and goes on by itself once that is raised", async () => {
    await using _ = await world.work()
    const cobblers = { ...florists, query: 'cobbler', location: 'Tulsa, Oklahoma' }
    const month = monthOf(new Date(await environment.currentTimeMs())) // by the skipped time
    const [used] = await database.as(organisationId, (tx) => usageByMonth(tx, month, new Date('9999-01-01T00:00:00Z')))
    await allowSearches(organisation.system, organisationId, (used?.searches ?? 0) + 1)
    const id = await world.start({ searches: [cobblers] })
    await isWaitingFor(id, 'budget', 'monthly_allowance')
    expect((await countsOf(id)).searchesPaid).toBe(1)
    await allowSearches(organisation.system, organisationId, null)
    await world.ended(id) // the hours until its next look are skipped
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null })
    expect((await countsOf(id)).searchesPaid).toBeGreaterThan(1)
  })

  test('at the limit of its plan a campaign waits, and goes on as soon as it is told of more', async () => {
    await using _ = await world.work()
    const bakers = { ...florists, query: 'baker', location: 'Waco, Texas' }
    const limited = (most: number) =>
      entitle(database, organisationId, { limits: [limitOf('searches', most, 'total')] })
    const { units } = await database.as(
      organisationId,
      async (tx) =>
        (await tx<{ units: number }[]>`select coalesce(sum(units), 0) as units from spend`)[0] ?? { units: 0 },
    )
    await limited(units + 1)
    const id = await world.start({ searches: [bakers] })
    await isWaitingFor(id, 'budget', 'plan_limit')
    expect((await countsOf(id)).searchesPaid).toBe(1)
    await entitle(database, organisationId, { access: 'reduced' })
    const look = async () => {
      const ids = await database.as(organisationId, (tx) =>
        wakeForEntitlements(tx, { requestId: 'test', now: new Date() }),
      )
      expect(ids).toEqual([workflowIdOf(id)])
      await deliverDue(organisation.system, world.stories, { now: new Date(), workflowIds: [workflowIdOf(id)] })
    }
    await look()
    await isWaitingFor(id, 'budget', 'no_access')
    await entitle(database, organisationId, null)
    await look()
    // No time is skipped meanwhile: the hours until its next look are not over.
    await vi.waitFor(async () => {
      expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null })
    }, patience)
  })

  test('a campaign that waits for months continues as new, and still goes on by itself', async () => {
    await using _ = await world.work()
    await allowSearches(organisation.system, organisationId, 0)
    const id = await world.start({ searches: [{ ...florists, query: 'tailor', limit: 10 }] })
    await isWaitingFor(id, 'budget', 'monthly_allowance')
    const handle = environment.client.workflow.getHandle(workflowIdOf(id))
    const { runId } = await handle.describe()
    await environment.sleep('90 days')
    expect((await handle.describe()).runId).not.toBe(runId)
    await isWaitingFor(id, 'budget', 'monthly_allowance')
    await allowSearches(organisation.system, organisationId, null)
    await world.ended(id)
    expect(await countsOf(id)).toMatchObject({ searchesPaid: 1 })
  })

  test('a campaign that an earlier version carried over goes on with the state it has', async () => {
    await using _ = await world.work()
    const id = await world.enqueue({ websites: listOf('carried', 3) })
    const carried = { status: 'running', stage: 'search', waitingFor: null, problem: null, revision: 4 }
    await database.as(
      organisationId,
      (tx) => tx`update campaigns set status = 'running', stage = 'search', revision = 4 where id = ${id}`,
    )
    await environment.client.workflow.execute('prospectCampaign', {
      workflowId: workflowIdOf(id),
      taskQueue: storiesQueue,
      args: [{ organisationId, campaignId: id, carried }],
    })
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', budgetSearches: null })
  })

  test('a campaign that asks for approval exports nothing before, not after a pause either', async () => {
    await using _ = await world.work()
    const id = await world.start(
      { websites: listOf('sample', 12), export: { formats: ['csv'], minScore: 0, sheet: { people: [] } } },
      { approval: 'sample' },
    )
    const ask = (update: typeof pauseCampaign, key: string) =>
      world.stories.update(workflowIdOf(id), update, { updateId: key, args: ['system'] })
    await isWaitingFor(id, 'approval', null)
    await expect(ask(resumeCampaign, 'r1')).rejects.toThrow(StoryRefused)
    await ask(pauseCampaign, 'p1')
    await ask(resumeCampaign, 'r2')
    await isWaitingFor(id, 'approval', null)
    expect(await database.as(organisationId, (tx) => findSheetExport(tx, id))).toBeNull()
    await ask(approveCampaign, 'a1')
    await world.ended(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', stage: 'export' })
    expect(await eventsOf(id)).toContain('campaign.approved')
  })

  test('a share address that was refused is replaced, and the campaign goes on', async () => {
    await using _ = await world.work()
    const people = [{ emailAddress: 'nobody@no-account.test', role: 'reader' as const }]
    const id = await world.start({
      websites: listOf('shared', 2),
      export: { formats: ['csv'], minScore: 0, sheet: { people } },
    })
    await isWaitingFor(id, 'repair', 'google:invalid_share_address')
    const mended = [{ emailAddress: 'sales@our-shop.test', role: 'reader' as const }]
    expect(await database.as(organisationId, (tx) => replaceSheetPeople(tx, id, mended))).toBe(true)
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'mended', args: ['system'] })
    await world.ended(id)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed', problem: null })
  })

  test('a campaign whose sequence is still a draft waits for its publication, then enrols and is completed', async () => {
    await using _ = await world.work()
    const sequenceId = await sequenceRow(database, organisationId, { status: 'draft' })
    const id = await world.start({ websites: listOf('enrolled', 5), enrol: { sequenceId, minScore: 0 } })
    await isWaitingFor(id, 'repair', 'sequence_not_live')
    expect(await world.campaign(id)).toMatchObject({ stage: 'enrol' })
    await database.as(organisationId, (tx) => setSequenceStatus(tx, sequenceId, 'live', new Date()))
    await world.stories.update(workflowIdOf(id), resumeCampaign, { updateId: 'published', args: ['system'] })
    await world.ended(id)
    const { enrolled, refused } = await database.as(organisationId, (tx) => prospectEnrolmentCounts(tx, id))
    expect(enrolled).toBeGreaterThan(0)
    expect(enrolled + (refused['no_email'] ?? 0)).toBe(5)
    expect(await eventsOf(id)).toContain('prospect.enrolled')
  })
})

const patience = { timeout: 15_000, interval: 50 }
