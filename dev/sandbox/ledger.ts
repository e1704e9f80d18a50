import { z } from 'zod'
import type { LedgerEntry } from './tenant.ts'

const paging = {
  /** Only what came after the entry of this number. */
  since: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(100_000).default(1000),
}

/** What one wants to see of the requests received. */
export const LedgerQuery = z.strictObject({ provider: z.string().optional(), host: z.string().optional(), ...paging })
export type LedgerQuery = z.infer<typeof LedgerQuery>

/** What one wants to see of the messages that a provider has taken. */
export const MessageQuery = z.strictObject({ provider: z.string(), ...paging })

interface LedgerPage {
  data: LedgerEntry[]
  /** The `since` of the next page; null when there is none. */
  nextSince: number | null
}

/** Every request the sandbox has received, oldest first. */
export function createLedger() {
  let entries: LedgerEntry[] = []

  return {
    nextSeq: () => entries.length + 1,
    add: (entry: LedgerEntry) => void entries.push(entry),
    clear: () => void (entries = []),

    find({ provider, host, since, limit }: LedgerQuery): LedgerPage {
      const found: LedgerEntry[] = []
      for (let index = since; index < entries.length; index += 1) {
        const entry = entries[index]
        if (entry === undefined || (provider ?? entry.provider) !== entry.provider) continue
        if ((host ?? entry.host) !== entry.host) continue
        if (found.length === limit) return { data: found, nextSince: found.at(-1)?.seq ?? since }
        found.push(entry)
      }
      return { data: found, nextSince: null }
    },
  }
}
