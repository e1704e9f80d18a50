/**
 * What lives in the sandbox: a provider, or the farm of websites. Providers fill this without naming it, since they import nothing
 * of ours; where a tenant is handed to the host, the compiler checks that it fits.
 */
export interface Tenant {
  readonly provider: string
  readonly operations: readonly string[]
  /** First parts of paths that are its own as they stand, for a provider whose SDK cannot be pointed below a path: `v1` of `/v1/customers`. */
  readonly roots?: readonly string[]
  /** Query parameters that no record may show. */
  readonly secretParameters?: readonly string[]
  /** Which of its operations a request asks for. */
  operation(request: Request): string
  handle(request: Request, context: { now: Date }): Promise<TenantAnswer>
  /** Called at start for each request that an earlier run answered, in order. */
  restore?(entry: LedgerEntry): void
  /** Called at start for each change that an earlier run reported, in order with the requests. */
  replay?(change: unknown): void
  /** Something happens at the provider without a request; returns what it changed. Throws a ZodError when there is no such event. */
  happen?(event: unknown, context: { now: Date }): unknown
  reset?(): void
  /** Called once all that earlier runs left is restored, with what a tenant may do unasked. */
  open?(outside: Outside): void
  /** For providers that take messages: what they have taken, oldest first. */
  messages?(query: { since: number; limit: number }): TakenMessagePage
}

/** A provider's own doings. After a reset or the end of the sandbox nothing of it has an effect, or an end. */
interface Outside {
  /** By the sandbox's clock. */
  now(): Date
  /** Has `replay` called at the next start with a change that no request has brought. */
  keep(change: unknown): void
  /** Resolves after so many ms of real time. */
  pause(ms: number): Promise<void>
  /** Resolves when the webhook was answered 2xx, or was not often enough. */
  post(webhook: OutgoingWebhook): Promise<void>
}

export interface OutgoingWebhook {
  url: string
  body: string
  /** Made anew for each attempt: a signature holds for minutes by a true clock, whatever the sandbox's says. */
  headers(attemptAt: Date): Record<string, string>
}

/** A message that a provider has taken. */
export interface TakenMessage {
  /** Counts from 1. */
  seq: number
  id: string
  to: string
  subject: string
  tags: Record<string, string>
  idempotencyKey: string | null
  /** By the sandbox's clock. */
  at: string
}

export interface TakenMessagePage {
  data: TakenMessage[]
  /** The `since` of the next page; null when there is none. */
  nextSince: number | null
}

export interface TenantAnswer {
  /** `silence`: the connection stays open and nothing is said. `cut`: it is reset. */
  reply: Response | 'silence' | 'cut'
  /** For providers that charge by the call. */
  billed?: boolean
  /** What the request changed, as JSON: kept for `replay`, and shown in no ledger. */
  change?: unknown
}

/** One request received. */
export interface LedgerEntry {
  /** Counts from 1. */
  seq: number
  provider: string
  operation: string
  method: string
  host: string
  /** As the tenant sees it, without secrets. */
  path: string
  idempotencyKey: string | null
  /** By the sandbox's clock. */
  at: string
  /** Null where the caller got no answer. */
  status: number | null
  billed?: boolean | undefined
  /** The kind of the fault that was injected. */
  fault?: string | undefined
}
