import { createServer } from 'node:http'
import pino from 'pino'
import { afterAll } from 'vitest'
import { type Api, type ApiSettings, type ApiWorld, createApi } from '../../api/app.ts'
import { permissions } from '../../api/permissions.ts'
import { createApiKey } from '../../db/api-keys.ts'
import type { Database } from '../../db/client.ts'
import { createOrganisation } from '../../db/organisations.ts'
import type { OutboxRow } from '../../db/outbox.ts'
import { type Stories, StoryNotRunning, StoryUnreachable } from '../../temporal-config/stories.ts'
import type { StorySchedules } from '../../temporal-config/story-schedules.ts'
import { type TestOrganisation, testOrganisation } from './organisation.ts'

/** Stands for Temporal where that is not the point: replace its functions as a test needs. */
interface StandInStories extends Stories {
  delivered: OutboxRow[]
  /** What an update is answered with. */
  change(workflowId: string, updateId: string, args: readonly unknown[]): Promise<unknown>
}

function standInStories(): StandInStories {
  const stories: StandInStories = {
    delivered: [],
    async deliver(row) {
      stories.delivered.push(row)
    },
    isFinal: () => false,
    codeOf: () => 'UNAVAILABLE',
    change: (workflowId) => Promise.reject(new StoryNotRunning(workflowId)),
    async update(workflowId, _update, { updateId, args }) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a test answers as its update's contract says
      return (await stories.change(workflowId, updateId, args)) as never
    },
    ping: async () => {},
  }
  return stories
}

/** Schedules while Temporal is away. */
function noSchedules(): StorySchedules {
  const away = () => Promise.reject(new StoryUnreachable('schedule'))
  return { set: away, describe: away, pause: away, resume: away, trigger: away, remove: away }
}

interface Asked {
  key?: string | null
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface TestApi extends TestOrganisation {
  api: Api
  url: string
  /** A key of the test organisation with all permissions. */
  key: string
  stories: StandInStories
  /** Asks with `key` unless told otherwise; a path is one below /api/v1. */
  ask(method: string, path: string, asked?: Asked): Promise<Response>
  keyWith(organisationId: string, allowed: readonly string[]): Promise<string>
  /** Another organisation, with a key. */
  neighbour(): Promise<{ organisationId: string; key: string }>
}

/** The API on a port of its own, over a fresh database. Call it at the top of the file; it ends with the file. */
export async function testApi(
  changes: Partial<ApiSettings> &
    Partial<Pick<ApiWorld, 'billing' | 'clock' | 'log' | 'schedules' | 'webhooks'>> & {
      watch?: (database: Database) => Database
    } = {},
): Promise<TestApi> {
  const organisation = await testOrganisation()
  const { database, system, organisationId } = organisation
  const {
    clock = () => new Date(),
    log = pino({ level: 'silent' }),
    watch = (same: Database) => same,
    schedules = noSchedules(),
    webhooks = [],
    billing = null,
    ...settings
  } = changes
  const stories = standInStories()
  const api = createApi(
    { database: watch(database), system, stories, schedules, webhooks, billing, clock, log },
    {
      requestsPerMinute: 100_000,
      trustProxy: false,
      missingForSearch: null,
      stripePrices: {},
      checksAnswers: true,
      ...settings,
    },
  )
  const server = createServer(api.app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on a port')
  const url = `http://127.0.0.1:${address.port}`
  afterAll(async () => {
    await api.drain()
    server.closeAllConnections()
    server.close()
  })

  const keyWith = (owner: string, allowed: readonly string[]) =>
    createApiKey(system, { organisationId: owner, name: 'test', permissions: allowed })
  const key = await keyWith(organisationId, permissions)

  return {
    ...organisation,
    api,
    url,
    key,
    stories,
    keyWith,
    async neighbour() {
      const { id } = await createOrganisation(system, 'Neighbour', 'GB')
      return { organisationId: id, key: await keyWith(id, permissions) }
    },
    ask(method, path, { key: used = key, body, headers, signal } = {}) {
      return fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          ...(used !== null && { authorization: `Bearer ${used}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        signal: signal ?? null,
      })
    },
  }
}

export const ownList = (...websites: string[]) => ({ name: 'Test', websites })
