import { TestWorkflowEnvironment } from '@temporalio/testing'
import { afterAll } from 'vitest'
import { z } from 'zod'
import { askForServer } from './ask-for-server.ts'
import type { TemporalAddress } from './test-servers.ts'

const Address = z.object({ address: z.string(), namespace: z.string() })
const TimeSkipping = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('download') }),
  z.object({ kind: z.literal('executable'), path: z.string() }),
  z.object({ kind: z.literal('none'), reason: z.string() }),
])

/** The dev server of this run, which all test files share: each keeps to task queues and workflow ids of its own. */
export function temporalServer(): Promise<TemporalAddress> {
  return askForServer('/temporal', Address)
}

/**
 * A time-skipping environment for this test file, or undefined where none can be had. Call it at the top of the file, so that tests
 * can skip: `describe.skipIf(environment === undefined)`. It ends with the file.
 */
export async function timeSkipping(): Promise<TestWorkflowEnvironment | undefined> {
  const server = await askForServer('/time-skipping', TimeSkipping)
  if (server.kind === 'none') return undefined
  const environment = await TestWorkflowEnvironment.createTimeSkipping(
    server.kind === 'executable' ? { server: { executable: { type: 'existing-path', path: server.path } } } : {},
  )
  afterAll(() => environment.teardown())
  return environment
}
