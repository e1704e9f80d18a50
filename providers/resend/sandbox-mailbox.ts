import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { bareAddress } from './addresses.ts'
import type { SandboxEmail } from './sandbox-emails.ts'
import { AskedEvents, lastEventOf, planFor } from './sandbox-events.ts'

const rememberedMs = 24 * 60 * 60_000

/** A call whose messages were taken. Their contents, much alike and many, are packed. */
const Call = z.object({
  id: z.string(),
  at: z.string(),
  mode: z.enum(['single', 'strict', 'permissive']),
  key: z.string().nullable(),
  fingerprint: z.string(),
  count: z.int(),
  emails: z.string(),
  /** By its place in the call, as permissive mode tells it. */
  errors: z.array(z.object({ index: z.int(), message: z.string() })),
})
export type Call = z.infer<typeof Call>

/** All that can change in the sandbox. Its state is the sum of these, which the sandbox's journal keeps. */
export const Change = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('taken'), call: Call }),
  z.object({ kind: z.literal('keysForgotten'), key: z.string().optional() }),
  z.object({ kind: z.literal('webhooks'), on: z.boolean() }),
  z.object({ kind: z.literal('asked'), id: z.string(), at: z.string(), asked: AskedEvents }),
  /** All webhooks of a call, or of what was asked for, were heard or given up. */
  z.object({ kind: z.literal('settled'), id: z.string() }),
])
export type Change = z.infer<typeof Change>

/** What has webhooks to send. */
export type Emission = Extract<Change, { kind: 'taken' | 'asked' }>

export interface StoredEmail extends SandboxEmail {
  id: string
  createdAt: string
  key: string | null
  lastEvent: string
}

interface Entry {
  call: Call
  position: number
  lastEvent: string
}

/** The e-mails that were taken, the keys that are known, and which webhooks are still to be sent. */
export function createMailbox({ hasWebhook }: { hasWebhook: boolean }) {
  let entries: Entry[] = []
  const indexOf = new Map<string, number>()
  const newestTo = new Map<string, number>()
  const callOf = new Map<string, Call>()
  const unsettled = new Map<string, Emission>()
  let sendsWebhooks = true
  let unpacked: { call: Call; emails: SandboxEmail[] } | undefined

  return {
    unsettled,
    contents,

    apply(change: Change): void {
      if (change.kind === 'taken') take(change.call)
      if (change.kind === 'asked') see(change.asked)
      if (change.kind === 'webhooks') sendsWebhooks = change.on
      if (change.kind === 'keysForgotten') forget(change.key)
      if (change.kind === 'settled') settle(change.id)
      const emits = change.kind === 'asked' || (change.kind === 'taken' && hasWebhook && sendsWebhooks)
      if (emits) unsettled.set(emissionId(change), change)
    },

    find: (id: string) => stored(indexOf.get(id)),
    newestTo: (address: string) => stored(newestTo.get(bareAddress(address))),

    /** The call that a key was first used for, as long as it is known. */
    callUnder(key: string, now: Date): Call | undefined {
      const call = callOf.get(key)
      return call && now.getTime() - Date.parse(call.at) < rememberedMs ? call : undefined
    },

    /** The newest first: those older than one, or right before it those newer. Null when there is no such e-mail. */
    page({ limit, after, before }: { limit: number; after: string | null; before: string | null }) {
      const place = indexOf.get(after ?? before ?? '')
      if (place === undefined && (after ?? before) !== null) return null
      const from = before === null ? Math.max(0, (place ?? entries.length) - limit) : (place ?? 0) + 1
      const to = before === null ? (place ?? entries.length) : Math.min(entries.length, from + limit)
      return {
        emails: storedBetween(from, to).toReversed(),
        hasMore: before === null ? from > 0 : to < entries.length,
      }
    },

    taken({ since, limit }: { since: number; limit: number }) {
      const to = Math.min(entries.length, since + limit)
      const data = storedBetween(since, to).map(({ id, to: [address = ''], subject, tags, key, createdAt }, index) => ({
        seq: since + index + 1,
        id,
        to: address,
        subject,
        tags: Object.fromEntries(tags.map(({ name, value }) => [name, value])),
        idempotencyKey: key,
        at: createdAt,
      }))
      return { data, nextSince: to < entries.length ? to : null }
    },

    clear(): void {
      entries = []
      sendsWebhooks = true
      for (const map of [indexOf, newestTo, callOf, unsettled]) map.clear()
    },
  }

  function take(call: Call): void {
    for (const [position, { to }] of contents(call).entries()) {
      const index = entries.push({ call, position, lastEvent: 'sent' }) - 1
      indexOf.set(emailId(call, position), index)
      for (const address of to) newestTo.set(bareAddress(address), index)
    }
    if (call.key !== null) callOf.set(call.key, call)
  }

  function see({ emailId: id, types }: AskedEvents): void {
    const entry = entries[indexOf.get(id ?? '') ?? -1]
    if (entry) entry.lastEvent = lastEventOf(types) ?? entry.lastEvent
  }

  function forget(key: string | undefined): void {
    if (key === undefined) callOf.clear()
    else callOf.delete(key)
  }

  function settle(id: string): void {
    const emission = unsettled.get(id)
    unsettled.delete(id)
    if (emission?.kind !== 'taken') return
    for (const [position, email] of contents(emission.call).entries()) {
      const entry = entries[indexOf.get(emailId(emission.call, position)) ?? -1]
      if (entry?.lastEvent === 'sent') entry.lastEvent = lastEventOf(planFor(email)) ?? 'sent'
    }
  }

  function storedBetween(from: number, to: number): StoredEmail[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, index) => stored(from + index)).filter(
      (email) => email !== undefined,
    )
  }

  function stored(index: number | undefined): StoredEmail | undefined {
    const entry = index === undefined ? undefined : entries[index]
    const email = entry && contents(entry.call)[entry.position]
    if (!entry || !email) return undefined
    const { call, position, lastEvent } = entry
    return { ...email, id: emailId(call, position), createdAt: call.at, key: call.key, lastEvent }
  }

  /** Those next to each other are mostly asked for one after the other. */
  function contents(call: Call): SandboxEmail[] {
    if (unpacked?.call !== call) unpacked = { call, emails: unpack(call.emails) }
    return unpacked.emails
  }
}

export function emissionId(emission: Emission): string {
  return emission.kind === 'taken' ? emission.call.id : emission.id
}

/** Follows from the call, so that it need not be kept. */
export function emailId({ id }: Call, position: number): string {
  return uuidOf(`${id}/${position}`)
}

function uuidOf(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export function pack(emails: readonly SandboxEmail[]): string {
  return deflateRawSync(JSON.stringify(emails), { level: 1 }).toString('base64')
}

function unpack(packed: string): SandboxEmail[] {
  return z.array(z.custom<SandboxEmail>()).parse(JSON.parse(inflateRawSync(Buffer.from(packed, 'base64')).toString()))
}
