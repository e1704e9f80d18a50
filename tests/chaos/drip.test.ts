import { expect, test } from 'vitest'
import { type DripSize, hasDamage, throughStorm } from './drip.ts'

const size: DripSize = {
  contacts: 100,
  kills: { worker: 2, standIn: 3, api: 1 },
  lullMs: 2_000,
  frozenMs: 6_000,
}
const calm = { lost: 0, duplicates: 0, leftOpen: 0, sentAfterStop: 0, unmeant: 0 }

test('a sequence comes through a storm by itself: nobody is lost, nobody gets a message twice', async () => {
  const figures = await throughStorm(size, '10', 'keysAlive')
  expect(figures).toMatchObject({ ...calm, kills: 5, apiKills: 1, stops: 1, restarts: 2 })
  expect(hasDamage(figures)).toBe(false)
  expect(figures.droppedAnswers).toBeGreaterThan(0)
  expect(figures.refusedCalls).toBeGreaterThan(0)
}, 300_000)
