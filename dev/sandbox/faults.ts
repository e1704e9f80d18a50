import { createHash } from 'node:crypto'
import { z } from 'zod'

const target = {
  provider: z.string(),
  /** All of the provider's, when absent. */
  operation: z.string().optional(),
  /** The share of requests that are hit. */
  rate: z.number().gt(0).max(1).default(1),
  /** How many requests are hit before the fault is over. */
  count: z.int().positive().optional(),
  /** The same seed hits the same requests: the first, the fourth, the fifth... */
  seed: z.int().default(1),
}

/** A failure to be injected. */
export const Fault = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    ...target,
    status: z.int().min(400).max(599),
    retryAfterSeconds: z.int().nonnegative().optional(),
  }),
  z.strictObject({ kind: z.literal('latency'), ...target, latencyMs: z.int().positive().max(600_000) }),
  /** No answer, and nothing done. */
  z.strictObject({ kind: z.literal('timeout'), ...target }),
  /** Everything done, and no answer. */
  z.strictObject({ kind: z.literal('accept-then-drop'), ...target }),
  /** The connection is reset before anything is done. */
  z.strictObject({ kind: z.literal('reset'), ...target }),
])
export type Fault = z.infer<typeof Fault>

interface ActiveFault {
  fault: Fault
  seen: number
  hit: number
}

/**
 * The faults in force. Each counts the requests it has seen and draws its lots by that number, so replaying the requests of an
 * earlier run brings every fault to where it was.
 */
export function createFaults() {
  let active: ActiveFault[] = []

  return {
    add: (fault: Fault) => void active.push({ fault, seen: 0, hit: 0 }),
    lift: () => void (active = []),
    list: () => active.map(({ fault, seen, hit }) => ({ ...fault, seen, hit })),

    /** The fault that hits this request, if any: the first that does, in the order they were set. */
    strike(provider: string, operation: string): Fault | null {
      const candidates = active.filter(({ fault }) => concerns(fault, provider, operation))
      return candidates.find(draws)?.fault ?? null
    },
  }
}

function concerns(fault: Fault, provider: string, operation: string): boolean {
  return fault.provider === provider && (fault.operation ?? operation) === operation
}

function draws(active: ActiveFault): boolean {
  const { seed, rate, count } = active.fault
  if (count !== undefined && active.hit >= count) return false
  active.seen += 1
  const isHit = lot(`${seed}/${active.seen}`) < rate
  if (isHit) active.hit += 1
  return isHit
}

function lot(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32
}
