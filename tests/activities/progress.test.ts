import { expect, test } from 'vitest'
import { reportProgress } from '../../activities/progress.ts'
import { storyEventsAfter } from '../../db/story-events.ts'
import { campaignRow } from '../support/campaign-rows.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

test.each([
  ['running', 1],
  ['paused', 1],
  ['cancelled', 0],
  ['completed', 0],
] as const)('of a campaign that is %s, %i events tell how far it is', async (status, events) => {
  const id = await campaignRow(database, organisationId, { status })
  const stage = { name: 'analyse', count: async () => ({ done: 3, total: 10 }) }
  await database.as(organisationId, (tx) => reportProgress(tx, id, 'prospect.analysed', stage, new Date()))
  expect(await database.as(organisationId, (tx) => storyEventsAfter(tx, id, 0, 10))).toHaveLength(events)
})
