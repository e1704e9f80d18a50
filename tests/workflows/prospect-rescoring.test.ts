import { describe, expect, test, vi } from 'vitest'
import { deliverDue, enqueueStart } from '../../db/outbox.ts'
import { listCampaignProspects } from '../../db/prospects.ts'
import { saveScoringRules } from '../../db/scoring-rules.ts'
import { findSheetExport } from '../../db/sheet-exports.ts'
import { rescoringId } from '../../workflows/contracts/prospect-rescoring.ts'
import { valuesOf } from '../support/google.ts'
import { listOf, skippingCampaigns } from '../support/skipping-campaigns.ts'

const skipping = await skippingCampaigns()

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  if (!skipping) return
  const { environment, organisation, sandbox, world, countsOf } = skipping
  const { database, system, organisationId } = organisation

  const save = (reason: string, points: number) =>
    database.as(organisationId, (tx) => {
      const rules = [{ reason, points, when: [{ field: 'sightings' as const, atLeast: 1 }] }]
      return saveScoringRules(tx, { rules, actor: 'system', now: new Date() })
    })
  const prospectsOf = (id: string) =>
    database.as(organisationId, (tx) => listCampaignProspects(tx, id, { after: null, limit: 1_000 }))

  /** As the API does it. */
  async function rescored(campaignId: string): Promise<void> {
    const workflowId = rescoringId(campaignId, crypto.randomUUID())
    const args = { organisationId, campaignId }
    const start = { workflowId, name: 'prospectRescoring', args, subjectId: campaignId, summary: '', requestId: 'test' }
    await database.as(organisationId, (tx) => enqueueStart(tx, start, new Date()))
    await deliverDue(system, world.stories, { now: new Date(), workflowIds: [workflowId] })
    await environment.client.workflow.getHandle(workflowId).result()
  }

  test('changed rules score a finished campaign anew without asking anybody for anything', async () => {
    await using _ = await world.work()
    const id = await world.start({
      searches: [{ engine: 'google_maps', query: 'dentist', location: 'Austin, Texas', limit: 20 }],
      websites: listOf('scored', 30),
    })
    await world.ended(id)
    const asked = await sandbox.requests()
    const before = await prospectsOf(id)
    const countsBefore = await countsOf(id)
    const { version } = await save('shown at all', 33)

    await rescored(id)
    await rescored(id)
    const after = await prospectsOf(id)
    expect(after.length).toBeGreaterThan(30)
    expect(after).toEqual(
      before.map((prospect) => ({
        ...prospect,
        score: 33,
        reasons: [{ text: 'shown at all', points: 33 }],
        rulesVersion: version,
      })),
    )
    expect(await sandbox.requests()).toEqual(asked)
    expect(await countsOf(id)).toEqual(countsBefore)
    expect(await world.campaign(id)).toMatchObject({ status: 'completed' })
  })

  test('rules that are saved while sites are read hold for the whole list before it is exported', async () => {
    await using _ = await world.work()
    await sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 150, rate: 1 })
    const id = await world.start({
      websites: listOf('meanwhile', 60),
      export: { formats: ['csv'], minScore: 0, sheet: { people: [] } },
    })
    await vi.waitFor(async () => expect((await countsOf(id)).done).toBeGreaterThan(0), patience)
    const { version } = await save('saved meanwhile', 44)
    await world.ended(id)
    await sandbox.control('DELETE', '/_sandbox/faults')
    const scores = (await prospectsOf(id)).map(({ score, rulesVersion }) => ({ score, rulesVersion }))
    expect(scores).toEqual(Array.from({ length: 60 }, () => ({ score: 44, rulesVersion: version })))
    const sheet = await database.as(organisationId, (tx) => findSheetExport(tx, id))
    const [, ...exported] = (await valuesOf(sandbox, sheet?.spreadsheet?.id ?? '', 'B:B')).flat()
    expect(exported).toEqual(Array.from({ length: 60 }, () => 44))
  })

  const patience = { timeout: 20_000, interval: 10 }
})
