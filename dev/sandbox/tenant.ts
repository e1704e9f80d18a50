/**
 * What lives in the sandbox: a provider, or the farm of websites. Providers fill this without naming it, since they import nothing
 * of ours; where a tenant is handed to the host, the compiler checks that it fits.
 */
export interface Tenant {
  readonly provider: string
  readonly operations: readonly string[]
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
