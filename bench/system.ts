import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Config, childEnvironment, loadConfig, type Setting } from '../config.ts'
import type { Logins } from '../db/migrate.ts'
import { type ApiClient, createApiClient } from '../dev/api-client.ts'
import { createOrganisationWithKey } from '../dev/organisations.ts'
import { planPostgres } from '../dev/postgres.ts'
import { runningRecord } from '../dev/run-records.ts'
import { ownPorts } from '../tests/support/free-ports.ts'
import { clearRunFolder, openRunFolder } from '../tests/support/run-folder.ts'

/** What `npm start -- --serve` runs, with a data directory of its own that goes with it. */
export interface MeasuredSystem extends AsyncDisposable {
  config: Config
  api: ApiClient
  organisationId: string
  logins: Logins
  /** Where the sandbox plays the websites. */
  sites: string
  /** Of 'worker', 'api', 'temporal', 'postgres', 'sandbox'. */
  pid(name: string): number
  /** Makes every website answer this much later. */
  slowSitesDown(latencyMs: number): Promise<void>
  /** How many pages of these websites the sandbox has ever been asked for and had; robots.txt is none. */
  pagesServed(websites: readonly string[]): Promise<number>
  /** Has something happen at a provider that the sandbox plays. */
  happen(event: { provider: string; type: string }): Promise<void>
}

/** Empty, not absent: whatever a developer's .env says, nothing but what we start is measured, and written to. */
const ownServers = {
  DATABASE_URL: '',
  DATABASE_SYSTEM_URL: '',
  DATABASE_OWNER_URL: '',
  TEMPORAL_ADDRESS: '',
  TEMPORAL_PROFILE: '',
  TEMPORAL_CONFIG_FILE: '',
}

const repository = fileURLToPath(new URL('..', import.meta.url))
/** The first start on a machine may have to build the Temporal server. */
const bootMs = 600_000
const pollMs = 100

const LedgerEntry = z.object({ host: z.string(), path: z.string(), status: z.number().nullable() })
type LedgerEntry = z.infer<typeof LedgerEntry>
const LedgerPage = z.object({ data: z.array(LedgerEntry), nextSince: z.number().nullable() })

/** Boots a system and makes an organisation in it. */
export async function bootSystem(settings: Partial<Record<Setting, string>> = {}): Promise<MeasuredSystem> {
  const dataDir = await openRunFolder()
  const env = childEnvironment({ ...ownServers, ...(await ownPorts()), DATA_DIR: dataDir, ...settings })
  const config = loadConfig(env)
  // A group and a channel of its own: a Ctrl-C in the terminal reaches only us, and when we are gone it stops in order.
  const main = spawn(process.execPath, ['dev/main.ts', '--serve'], {
    cwd: repository,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let said = ''
  for (const output of [main.stdout, main.stderr]) output?.on('data', (text) => (said += text))
  const ended = new AbortController()

  try {
    await untilUp()
    const { logins } = await planPostgres({ dataDir, port: config.postgres.port })
    const { organisationId, apiKey } = await createOrganisationWithKey(logins.systemUrl, 'Bench', 'US')
    const api = createApiClient(`http://127.0.0.1:${config.api.port}/api/v1`, apiKey, ended.signal)
    return {
      config,
      api,
      organisationId,
      logins,
      sites: `http://127.0.0.1:${config.sandbox.sitesPort}`,
      pid,
      slowSitesDown,
      pagesServed,
      happen,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }

  async function untilUp(): Promise<void> {
    for (const deadline = Date.now() + bootMs; ; await sleep(pollMs)) {
      if (main.exitCode !== null || Date.now() > deadline) throw new Error(`The system did not come up: ${said}`)
      const answer = await fetch(`http://127.0.0.1:${config.api.port}/readyz`).catch(() => undefined)
      if (answer?.ok) return
    }
  }

  function pid(name: string): number {
    const record = runningRecord(dataDir, name)
    if (record === undefined) throw new Error(`${name} does not run`)
    return record.pid
  }

  async function slowSitesDown(latencyMs: number): Promise<void> {
    await control('faults', {
      method: 'POST',
      body: JSON.stringify({ provider: 'websites', kind: 'latency', latencyMs }),
    })
  }

  async function pagesServed(websites: readonly string[]): Promise<number> {
    const hosts = new Set(websites.map((website) => new URL(website).hostname))
    let served = 0
    for (let since: number | null = 0; since !== null; ) {
      const query = new URLSearchParams({ provider: 'websites', limit: '100000', since: String(since) })
      const page = LedgerPage.parse(await (await control(`requests?${query.toString()}`)).json())
      const isPage = ({ host, path, status }: LedgerEntry) =>
        hosts.has(host) && status === 200 && path !== '/robots.txt'
      served += page.data.filter(isPage).length
      since = page.nextSince
    }
    return served
  }

  async function happen(event: { provider: string; type: string }): Promise<void> {
    await control('events', { method: 'POST', body: JSON.stringify(event) })
  }

  async function control(path: string, asked: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`http://127.0.0.1:${config.sandbox.port}/_sandbox/${path}`, asked)
    if (!answer.ok) throw new Error(`the sandbox answered ${answer.status}: ${await answer.text()}`)
    return answer
  }

  async function stop(): Promise<void> {
    ended.abort()
    if (main.exitCode === null && main.signalCode === null) {
      main.kill('SIGTERM')
      await once(main, 'exit')
    }
    await clearRunFolder(dataDir)
  }
}
