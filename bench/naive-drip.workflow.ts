import { proxyActivities, sleep } from '@temporalio/workflow'
import type { NaiveActivities } from './naive-drip.ts'

const { send } = proxyActivities<NaiveActivities>({ startToCloseTimeout: '30 seconds' })

/** One person's way through three messages, as one would write it down. */
export async function naiveDrip({ enrolmentId, steps }: { enrolmentId: string; steps: string[] }): Promise<void> {
  for (const [index, step] of steps.entries()) {
    if (index > 0) await sleep('1 second')
    await send({ enrolmentId, step, fromStep: steps[index - 1] ?? null, isLast: index === steps.length - 1 })
  }
}
