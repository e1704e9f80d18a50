import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { portOf } from '../tests/support/free-ports.ts'

/** Resend's sending endpoints and no more: takes everything, answers after a fixed time, knows its keys again, and counts. */
export interface ProviderStub extends AsyncDisposable {
  url: string
  counts(run: string): Promise<StubCounts>
  /** Each person and step that was delivered, `{address} {step}`; once, however often it came. */
  delivered(run: string): Promise<Set<string>>
  /** When the first delivery of a run after this time came: ms since the epoch; null while there is none. */
  firstAfter(run: string, at: number): Promise<number | null>
}

const StubCounts = z.object({
  /** What came more than once under different keys is counted each time. */
  deliveries: z.number(),
  duplicates: z.number(),
  /** ms since the epoch. */
  firstAt: z.number(),
  lastAt: z.number(),
})
export type StubCounts = z.infer<typeof StubCounts>

/** What every subject begins with: whose delivery it is. */
export const subjectOf = (run: string, step: string): string => `${run}/${step}:`

/** Starts it in a process of its own. */
export async function startProviderStub(latencyMs: number): Promise<ProviderStub> {
  const args = [fileURLToPath(import.meta.url), String(latencyMs)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [port]: unknown[] = await once(child, 'message')
  const url = `http://127.0.0.1:${z.number().parse(port)}`
  return {
    url,
    counts: async (run) => StubCounts.parse(await asked(`counts?run=${run}`)),
    delivered: async (run) => new Set(z.array(z.string()).parse(await asked(`delivered?run=${run}`))),
    firstAfter: async (run, at) =>
      z
        .number()
        .nullable()
        .parse(await asked(`first-after?run=${run}&at=${at}`)),
    [Symbol.asyncDispose]: () => stopChild(child),
  }

  async function asked(path: string): Promise<unknown> {
    return (await fetch(`${url}/_stub/${path}`)).json()
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'exit')
}

interface RunLedger {
  deliveries: Map<string, number>
  times: number[]
}

const Email = z.object({ to: z.string(), subject: z.string() })

/** `node bench/provider-stub.ts LATENCY_MS`: tells its parent the port, and ends with it. */
async function main([latency]: string[]): Promise<void> {
  const latencyMs = Number(latency)
  const runs = new Map<string, RunLedger>()
  const answers = new Map<string, string>()
  const server = createServer((request, response) => {
    void respond(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.once('disconnect', () => process.exit(0))
  process.send?.(portOf(server))

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await answer(request)
    response.setHeader('content-type', 'application/json')
    response.end(body)
  }

  async function answer(request: IncomingMessage): Promise<string> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stub')
    if (pathname.startsWith('/_stub/')) return JSON.stringify(counted(pathname.slice('/_stub/'.length), searchParams))
    const body = await text(request)
    const key = request.headers['idempotency-key']?.toString() ?? randomUUID()
    const known = answers.get(key) ?? taken(body, pathname.endsWith('/batch'))
    answers.set(key, known)
    await sleep(latencyMs)
    return known
  }

  function taken(body: string, isBatch: boolean): string {
    const emails = z.array(Email).parse(isBatch ? JSON.parse(body) : [JSON.parse(body)])
    const at = Date.now()
    for (const { to, subject } of emails) {
      const [run = '', step = ''] = subject.split(':')[0]?.split('/') ?? []
      const ledger = ledgerOf(run)
      const delivery = `${to} ${step}`
      ledger.deliveries.set(delivery, (ledger.deliveries.get(delivery) ?? 0) + 1)
      ledger.times.push(at)
    }
    const ids = emails.map(() => ({ id: randomUUID() }))
    return JSON.stringify(isBatch ? { data: ids } : ids[0])
  }

  function counted(what: string, query: URLSearchParams): unknown {
    const { deliveries, times } = ledgerOf(query.get('run') ?? '')
    if (what === 'delivered') return [...deliveries.keys()]
    if (what === 'first-after') return times.find((at) => at > Number(query.get('at'))) ?? null
    const count = times.length
    return { deliveries: count, duplicates: count - deliveries.size, firstAt: times[0] ?? 0, lastAt: times.at(-1) ?? 0 }
  }

  function ledgerOf(run: string): RunLedger {
    const ledger = runs.get(run) ?? { deliveries: new Map<string, number>(), times: [] }
    runs.set(run, ledger)
    return ledger
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
