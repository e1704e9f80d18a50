import { setTimeout as wait } from 'node:timers/promises'
import { createCourier } from './courier.ts'
import { createFaults, type Fault } from './faults.ts'
import { openJournal } from './journal.ts'
import { createLedger, type LedgerQuery } from './ledger.ts'
import type { LedgerEntry, TakenMessagePage, Tenant, TenantAnswer } from './tenant.ts'

export type World = ReturnType<typeof openWorld>

/** All that the sandbox remembers: its tenants, ledger, faults and clock, and the journal file from which they come back. */
export function openWorld(file: string, tenants: readonly Tenant[], realClock: () => Date) {
  const tenantOf = new Map(tenants.map((tenant) => [tenant.provider, tenant]))
  const ledger = createLedger()
  const faults = createFaults()
  let clockOffsetMs = 0

  const journal = openJournal(file, (line) => {
    switch (line.kind) {
      case 'request': {
        const { kind: _, ...entry } = line
        faults.strike(entry.provider, entry.operation)
        ledger.add(entry)
        tenantOf.get(entry.provider)?.restore?.(entry)
        break
      }
      case 'change':
        tenantOf.get(line.provider)?.replay?.(line.change)
        break
      case 'clock':
        clockOffsetMs = line.offsetMs
        break
      case 'fault':
        faults.add(line.fault)
        break
      case 'faultsLifted':
        faults.lift()
        break
    }
  })

  const now = () => new Date(realClock().getTime() + clockOffsetMs)
  const courier = createCourier(realClock)
  for (const { provider, open } of tenants) {
    open?.({
      now,
      keep: (change) => journal.append({ kind: 'change', provider, change }),
      pause: (ms) => courier.pause(ms),
      post: (webhook) => courier.post(webhook),
    })
  }

  function record(entry: Omit<LedgerEntry, 'seq'>): void {
    const numbered = { seq: ledger.nextSeq(), ...entry }
    journal.append({ kind: 'request', ...numbered })
    ledger.add(numbered)
  }

  return {
    tenantOf,
    findRequests: (query: LedgerQuery) => ledger.find(query),
    listFaults: () => faults.list(),
    now,

    close(): void {
      courier.drop()
      journal.close()
    },

    /** Null for a provider that takes no messages. */
    findMessages: (provider: string, query: { since: number; limit: number }): TakenMessagePage | null =>
      tenantOf.get(provider)?.messages?.(query) ?? null,

    /** Answers a request as its tenant does, or as a fault has it, and records it before anything is said. */
    async answer(tenant: Tenant, request: Request): Promise<TenantAnswer['reply']> {
      const at = now()
      const operation = tenant.operation(request)
      const fault = faults.strike(tenant.provider, operation)
      const { reply, billed, change } = await answerUnder(fault, () => tenant.handle(request, { now: at }))
      if (change !== undefined) journal.append({ kind: 'change', provider: tenant.provider, change })
      record({
        provider: tenant.provider,
        operation,
        ...visible(request, tenant.secretParameters),
        at: at.toISOString(),
        status: typeof reply === 'string' ? null : reply.status,
        ...(billed !== undefined && { billed }),
        ...(fault !== null && { fault: fault.kind }),
      })
      return reply
    },

    /** Has something happen at a provider; false where nothing can. */
    happen(provider: string, event: unknown): boolean {
      const tenant = tenantOf.get(provider)
      if (tenant?.happen === undefined) return false
      journal.append({ kind: 'change', provider, change: tenant.happen(event, { now: now() }) })
      return true
    },

    addFault(fault: Fault): void {
      journal.append({ kind: 'fault', fault })
      faults.add(fault)
    },

    liftFaults(): void {
      journal.append({ kind: 'faultsLifted' })
      faults.lift()
    },

    setClock(to: Date): void {
      clockOffsetMs = to.getTime() - realClock().getTime()
      journal.append({ kind: 'clock', offsetMs: clockOffsetMs })
    },

    reset(): void {
      courier.drop()
      journal.clear()
      ledger.clear()
      faults.lift()
      clockOffsetMs = 0
      for (const tenant of tenants) tenant.reset?.()
    },
  }
}

async function answerUnder(fault: Fault | null, handle: () => Promise<TenantAnswer>): Promise<TenantAnswer> {
  if (fault?.kind === 'timeout') return { reply: 'silence' }
  if (fault?.kind === 'reset') return { reply: 'cut' }
  if (fault?.kind === 'status') return { reply: statusReply(fault.status, fault.retryAfterSeconds) }
  if (fault?.kind === 'latency') await wait(fault.latencyMs, undefined, { ref: false })
  const answer = await handle()
  return fault?.kind === 'accept-then-drop' ? { ...answer, reply: 'cut' } : answer
}

function statusReply(status: number, retryAfterSeconds: number | undefined): Response {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return Response.json({ error: 'This failure was asked for through the sandbox.' }, { status, headers })
}

function visible(request: Request, secretParameters: readonly string[] = []) {
  const url = new URL(request.url)
  for (const name of secretParameters) url.searchParams.delete(name)
  return {
    method: request.method,
    host: url.hostname,
    path: `${url.pathname}${url.search}`,
    idempotencyKey: request.headers.get('idempotency-key'),
  }
}
