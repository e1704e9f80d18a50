import { Client, Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { NativeConnection } from '@temporalio/worker'
import { afterAll, vi } from 'vitest'
import { z } from 'zod'
import { applyTemporalConfig } from '../../temporal-config/apply.ts'
import { searchAttributeKeys } from '../../temporal-config/search-attributes.ts'
import { askForServer } from './ask-for-server.ts'
import type { TemporalAddress } from './test-servers.ts'

/** How long tests wait for an answer of Temporal, which other tests may keep busy. */
export const patience = { startTimeoutMs: 25_000, updateTimeoutMs: 25_000, timeoutMs: 25_000 }

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

/** A namespace of this test file's own on that server, whose workers get nobody else's tasks. Call it at the top of the file. */
export async function ownNamespace(namespace: string): Promise<{ client: Client; connection: NativeConnection }> {
  const { address } = await temporalServer()
  const connection = await NativeConnection.connect({ address })
  const client = new Client({ connection: await Connection.connect({ address }), namespace })
  afterAll(() => Promise.all([client.connection.close(), connection.close()]))
  const workflowExecutionRetentionPeriod = msToTs('1 day')
  await client.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod })
  // The server's other parts hear of it after a while.
  await vi.waitFor(() => applyTemporalConfig(client), { timeout: 50_000, interval: 200 })
  return { client, connection }
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
  // It knows no search attribute that it was not told of, and refuses workflows that set one.
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(searchAttributeKeys.map(({ name }) => [name, 2])),
  })
  return environment
}
