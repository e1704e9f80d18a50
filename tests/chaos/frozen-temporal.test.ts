import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { wholeSystem } from '../support/whole-system.ts'

const Campaign = z.object({ id: z.uuid(), status: z.string() })
const campaign = { name: 'Posted to nobody', websites: ['http://chaos-0.test/'] }

test('a campaign posted while Temporal is frozen is accepted at once, and runs when Temporal is back', async () => {
  await using system = await wholeSystem()
  await system.start()
  const api = await system.api()
  const frozen = system.pid('temporal')
  process.kill(frozen, 'SIGSTOP')
  const { id } = Campaign.parse(await api.post('/campaigns', campaign, 'frozen'))
  const read = async () => Campaign.parse(await api.get(`/campaigns/${id}`)).status
  expect(await read()).toBe('queued')
  await system.fell('temporal', 'SIGKILL')
  await vi.waitFor(async () => expect(await read()).toBe('completed'), { timeout: 120_000, interval: 100 })
}, 300_000)
