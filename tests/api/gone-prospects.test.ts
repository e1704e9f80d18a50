import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordCampaignState } from '../../db/campaigns.ts'
import { insertSavedSearchRun } from '../../db/saved-searches.ts'
import { type CampaignStage, type CampaignStatus, queuedCampaign } from '../../workflows/contracts/prospect-campaign.ts'
import { testApi } from '../support/api.ts'
import { campaignRow } from '../support/campaign-rows.ts'

const { ask, database, organisationId, neighbour } = await testApi()
const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)

const Gone = z.object({
  data: z.array(z.object({ id: z.uuid(), name: z.string() })),
  nextCursor: z.string().nullable(),
})

/** A completed campaign that found these businesses. */
async function completed(...names: string[]): Promise<string> {
  const id = await campaignRow(database, organisationId, { status: 'completed', stage: 'analyse' })
  await finds(id, names)
  return id
}

/** Its next run, which found those. */
async function nextRun(savedSearchId: string, stage: CampaignStage, ...names: string[]): Promise<string> {
  const now = new Date()
  const id =
    (await as((tx) => insertSavedSearchRun(tx, { savedSearchId, begunBy: crypto.randomUUID(), dueAt: now, now }))) ?? ''
  await isAt(id, 'running', stage)
  await finds(id, names)
  return id
}

function isAt(id: string, status: CampaignStatus, stage: CampaignStage) {
  const state = { ...queuedCampaign, status, stage, revision: 1 }
  return as((tx) => recordCampaignState(tx, id, state, new Date()))
}

function finds(id: string, names: string[]) {
  return as(async (tx) => {
    await tx`
      insert into prospects (name) select wanted from unnest(${names}::text[]) as wanted
      where not exists (select from prospects where name = wanted)`
    await tx`
      insert into site_visits (campaign_id, prospect_id, status, score, change, changed)
      select ${id}, id, 'done', 40, 'changed', '{cms}' from prospects where name = any(${names})`
  })
}

const gone = async (id: string, query = '') =>
  Gone.parse(await (await ask('GET', `/campaigns/${id}/gone${query}`)).json())
const namesOf = ({ data }: z.infer<typeof Gone>) => data.map(({ name }) => name)

test('what the run before had and this one has not is gone, page by page and by number', async () => {
  const saved = await completed('stays', 'goes', 'goes, too')
  const run = await nextRun(saved, 'analyse', 'stays', 'comes')
  expect(namesOf(await gone(run)).toSorted()).toEqual(['goes', 'goes, too'])
  const first = await gone(run, '?limit=1')
  const second = await gone(run, `?limit=1&cursor=${first.nextCursor}`)
  expect([...namesOf(first), ...namesOf(second)]).toEqual(namesOf(await gone(run)))
  expect(second.nextCursor).toBeNull()
  expect(await (await ask('GET', `/campaigns/${run}`)).json()).toMatchObject({
    savedSearchId: saved,
    changes: { new: 0, changed: 2, same: 0, gone: 2 },
  })
  const [prospect] = (await gone(run)).data
  expect(await (await ask('GET', `/prospects/${prospect?.id}`)).json()).toMatchObject({
    visits: [{ campaignId: saved, change: 'changed', changed: ['cms'] }],
  })
  const { key } = await neighbour()
  expect((await ask('GET', `/campaigns/${run}/gone`, { key })).status).toBe(404)
})

test('while nobody can tell, nothing is said to be gone, and the answer says why', async () => {
  const saved = await completed('one')
  const searching = await nextRun(saved, 'search')
  const givenUp = await nextRun(saved, 'analyse')
  await as(
    (tx) => tx`
      insert into searches (campaign_id, engine, fingerprint, page, status, asked_at)
      values (${givenUp}, 'google', 'f', 0, 'failed', now())`,
  )
  for (const [id, reason] of [
    [saved, /no completed run before/],
    [searching, /not done searching/],
    [givenUp, /given up/],
  ] as const) {
    const response = await ask('GET', `/campaigns/${id}/gone`)
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'wrong_state', detail: expect.stringMatching(reason) })
    expect(await (await ask('GET', `/campaigns/${id}`)).json()).toMatchObject({ changes: { gone: null } })
  }
})

test('a run is compared with the newest one that was completed, not with one that is under way or was cancelled', async () => {
  const saved = await completed('one')
  const done = await nextRun(saved, 'analyse', 'one')
  await as((tx) => tx`update campaigns set status = 'completed' where id = ${done}`)
  const cancelled = await nextRun(saved, 'analyse')
  await as((tx) => tx`update campaigns set status = 'cancelled' where id = ${cancelled}`)
  await nextRun(saved, 'search')
  expect(namesOf(await gone(await nextRun(saved, 'analyse')))).toEqual(['one'])
  const rows = await as(
    (tx) => tx<{ previousId: string }[]>`
    select previous_id from campaigns where saved_search_id = ${saved} order by due_at`,
  )
  expect(rows.map(({ previousId }) => previousId)).toEqual([saved, done, done, done])
})
