import { expect, test } from 'vitest'
import { chaosCampaign } from './campaign.ts'

/** Four batches of a campaign under way, each reading two sites at a time. */
const readAtOnce = 8

test('a campaign comes through a storm by itself: nothing lost, no row twice, no search paid twice', async () => {
  const figures = await chaosCampaign(
    {
      prospects: 80,
      searches: 1,
      kills: { search: { worker: 0, api: 1 }, analyse: { worker: 0, api: 2 }, export: { worker: 0, api: 1 } },
      lullMs: 1_500,
      latencyMs: { websites: 250, serpapi: 100, google: 300 },
    },
    30,
  )
  expect(figures).toMatchObject({ lost: 0, duplicates: 0, paidTwice: 0, parked: 0, prospects: 80, sheetRows: 80 })
  expect(figures).toMatchObject({ kills: 5, stops: 1, restarts: 2, blackouts: 1 })
  expect(figures.droppedAppends).toBeGreaterThan(0)
  expect(figures.refusedCalls).toBeGreaterThan(0)
  const blowsAtReaders = 4 // the freeze, the end of the worker that stood in, Temporal's restart, and all at once
  expect(figures.readAgain).toBeLessThanOrEqual(blowsAtReaders * readAtOnce)
}, 300_000)
