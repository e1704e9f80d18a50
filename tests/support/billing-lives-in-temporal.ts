import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import type { comparable } from './billing-ends.ts'
import { newPlayer, type StormyLife, type TemporalPlayer, tickMs } from './billing-life-in-temporal.ts'
import { workflowBundle } from './campaign-world.ts'
import type { TestOrganisation } from './organisation.ts'

/** The server's clock runs by itself while something is done; Stripe's and ours is ahead of it by so much at each moment. */
const aheadMs = 120_000

/** Plays lives through the workflow, all at once, on the time-skipping server: the end of each, in their order. */
export async function playInTemporal(
  lives: readonly StormyLife[],
  {
    skipping,
    began,
    organisation,
  }: { skipping: TestWorkflowEnvironment; began: number; organisation: TestOrganisation },
): Promise<ReturnType<typeof comparable>[]> {
  const { client, nativeConnection: connection } = skipping
  const taskQueue = 'billing-lives'
  const players = await Promise.all(lives.map((one) => newPlayer(one, { organisation, began, client })))
  const of = (organisationId: string) => {
    const player = players.find((one) => one.organisationId === organisationId)
    if (!player) throw new Error('nobody has begun this life')
    return player
  }
  const worker = await Worker.create({
    connection,
    taskQueue,
    ...(await workflowBundle()),
    activities: {
      lookAtBilling: (asked: Asked<'look'>) => of(asked.organisationId).look(asked),
      performAct: (asked: Asked<'perform'>) => of(asked.organisationId).perform(asked),
      recordFailedAct: (asked: Asked<'fail'>) => of(asked.organisationId).fail(asked),
      carryOutRequest: (asked: Asked<'carryOut'>) => of(asked.organisationId).carryOut(asked),
    },
  })
  const running = worker.run()
  await Promise.all(players.map((one) => one.begin(taskQueue)))
  for (let now = began; players.some((one) => one.ended === null); now += tickMs) {
    const left = now - aheadMs - (await skipping.currentTimeMs())
    if (left > 0) await skipping.sleep(left)
    await Promise.all(players.map((one) => one.live(now)))
  }
  await Promise.all(players.map((one) => one.leave()))
  worker.shutdown()
  await running
  return players.flatMap(({ ended }) => ended ?? [])
}

type Asked<Does extends 'look' | 'perform' | 'fail' | 'carryOut'> = Parameters<TemporalPlayer[Does]>[0]
