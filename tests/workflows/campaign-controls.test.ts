import { afterAll, expect, test, vi } from 'vitest'
import { StoryNotRunning, StoryRefused } from '../../temporal-config/stories.ts'
import {
  cancelCampaign,
  pauseCampaign,
  resumeCampaign,
  campaignId as workflowIdOf,
} from '../../workflows/contracts/prospect-campaign.ts'
import { campaignWorld } from '../support/campaign-world.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestSandbox } from '../support/sandbox.ts'
import { listOf } from '../support/skipping-campaigns.ts'
import { ownNamespace } from '../support/temporal.ts'

// On a real server: on a busy machine the time-skipping one loses an Update now and then.
const sandbox = await startTestSandbox()
afterAll(() => sandbox.close())
const world = campaignWorld(await testOrganisation(), sandbox, await ownNamespace('controls'))
const patience = { timeout: 20_000, interval: 100 }

test('an update that the state does not allow is refused and changes nothing; a repeated one gets its first answer', async () => {
  await using _ = await world.work()
  await sandbox.addFault({ provider: 'websites', kind: 'latency', latencyMs: 150, rate: 1 })
  const id = await world.start({ websites: listOf('refused', 40) })
  const ask = (update: typeof pauseCampaign, key: string) =>
    world.stories.update(workflowIdOf(id), update, { updateId: key, args: ['system'] })
  await vi.waitFor(async () => expect((await world.campaign(id)).status).toBe('running'), patience)
  await expect(ask(resumeCampaign, 'r1')).rejects.toThrow(StoryRefused)
  const paused = await ask(pauseCampaign, 'p1')
  await expect(ask(pauseCampaign, 'p2')).rejects.toMatchObject({ code: 'wrong_state' })
  expect(await ask(pauseCampaign, 'p1')).toEqual(paused)
  await ask(cancelCampaign, 'c1')
  await world.ended(id)
  await sandbox.control('DELETE', '/_sandbox/faults')
  expect(await world.campaign(id)).toMatchObject({ status: 'cancelled' })
  await expect(ask(resumeCampaign, 'r2')).rejects.toThrow(StoryNotRunning)
})
