import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Fault } from '../../dev/sandbox/faults.ts'
import { type Sandbox, startSandbox } from '../../dev/sandbox/host.ts'
import type { LedgerEntry, TakenMessage } from '../../dev/sandbox/tenant.ts'
import { createGoogleSandbox } from '../../providers/google/sandbox.ts'
import { createResendSandbox } from '../../providers/resend/sandbox.ts'
import { createSerpapiSandbox } from '../../providers/serpapi/sandbox.ts'
import { createStripeSandbox } from '../../providers/stripe/sandbox.ts'
import { createWebsitesSandbox, sandboxCertificate } from '../../providers/websites/sandbox.ts'

interface TestSandboxOptions {
  serpapi?: Parameters<typeof createSerpapiSandbox>[0]
  resend?: Parameters<typeof createResendSandbox>[0]
  stripe?: Parameters<typeof createStripeSandbox>[0]
  websites?: Parameters<typeof createWebsitesSandbox>[0]
  clock?: () => Date
  controlPort?: number
  /** Given to go on with another sandbox's past; such a folder stays when the sandbox closes. */
  stateDir?: string
}

export interface TestSandbox extends AsyncDisposable {
  urls: Sandbox['urls'] & { serpapi: string; google: string; resend: string }
  stateDir: string
  /** The control surface, as anyone reaches it. */
  control(method: string, path: string, body?: unknown): Promise<Response>
  requests(query?: Record<string, string>): Promise<LedgerEntry[]>
  /** Every message that a provider has taken, oldest first. */
  messages(provider: string): Promise<TakenMessage[]>
  addFault(fault: z.input<typeof Fault>): Promise<void>
  /** Has something happen at a provider. */
  happen(provider: string, event: { type: string } & Record<string, unknown>): Promise<void>
  advanceClock(seconds: number): Promise<void>
  close(): Promise<void>
}

/** A sandbox on free ports, with its state in a folder that goes when it closes. */
export async function startTestSandbox(options: TestSandboxOptions = {}): Promise<TestSandbox> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'throughline-sandbox-')))
  const sandbox = await startSandbox({
    controlPort: options.controlPort ?? 0,
    providersPort: 0,
    sitesPort: 0,
    sitesTlsPort: 0,
    stateDir,
    providers: [
      createSerpapiSandbox(options.serpapi),
      createGoogleSandbox(),
      createResendSandbox({ eventGapMs: 5, ...options.resend }),
      createStripeSandbox({ lookMs: 20, ...options.stripe }),
    ],
    sites: createWebsitesSandbox(options.websites),
    sitesCertificate: sandboxCertificate,
    ...(options.clock && { clock: options.clock }),
  })

  const control = (method: string, path: string, body?: unknown) =>
    fetch(`${sandbox.urls.control}${path}`, { method, body: body === undefined ? null : JSON.stringify(body) })

  async function close() {
    await sandbox.close()
    if (options.stateDir === undefined) await rm(stateDir, { recursive: true })
  }

  return {
    urls: {
      ...sandbox.urls,
      serpapi: `${sandbox.urls.providers}/serpapi`,
      google: `${sandbox.urls.providers}/google`,
      resend: `${sandbox.urls.providers}/resend`,
    },
    stateDir,
    control,
    close,
    [Symbol.asyncDispose]: close,

    async requests(query = {}) {
      const search = new URLSearchParams({ limit: '100000', ...query }).toString()
      return Entries.parse(await succeed(control('GET', `/_sandbox/requests?${search}`))).data
    },

    async messages(provider) {
      const search = new URLSearchParams({ limit: '100000', provider }).toString()
      return Messages.parse(await succeed(control('GET', `/_sandbox/messages?${search}`))).data
    },

    async happen(provider, event) {
      await succeed(control('POST', '/_sandbox/events', { provider, ...event }))
    },

    async addFault(fault) {
      await succeed(control('POST', '/_sandbox/faults', fault))
    },

    async advanceClock(seconds) {
      await succeed(control('POST', '/_sandbox/clock', { advanceSeconds: seconds }))
    },
  }
}

const Messages = z.object({ data: z.array(z.custom<TakenMessage>((message) => typeof message === 'object')) })
const Entries = z.object({ data: z.array(z.custom<LedgerEntry>((entry) => typeof entry === 'object')) })

async function succeed(answer: Promise<Response>): Promise<unknown> {
  const response = await answer
  const text = await response.text()
  if (!response.ok) throw new Error(`the sandbox answered ${response.status}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}
