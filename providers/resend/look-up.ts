import { setTimeout as wait } from 'node:timers/promises'
import type { Resend } from 'resend'
import { z } from 'zod'
import { type Asked, type LookUp, ProviderError, type RenderedEmail } from '../../activities/ports.ts'
import { bareAddress } from './addresses.ts'
import { type openSession, unexpectedAnswer } from './session.ts'

/** Resend lists the newest first and cannot be asked for a time or a recipient. */
const pageSize = 100
const mostPages = 100
/** Resend takes a few requests a second from an account, and a hundred pages are more: how long a look-up may take, pauses and all. */
const lookUpMs = 60_000
const shortestPauseMs = 250
/** More than that many of one subject to one person within minutes are not told apart one by one. */
const mostCandidates = 10
/** Their clock may differ from ours by this much. */
const clockMs = 5 * 60_000
/** The smallest plan keeps e-mails for a day. */
const keptMs = 23 * 60 * 60_000

const Listed = z.object({ id: z.string().min(1), to: z.array(z.string()), subject: z.string(), created_at: z.string() })
type Listed = z.infer<typeof Listed>
const ListAnswer = z.object({ has_more: z.boolean(), data: z.array(Listed) })
/** `tags` is missing in the API's description and optional in the SDK's types. */
const Found = z.object({
  html: z.string().nullish(),
  tags: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
})

/**
 * Looks for messages among those that Resend has taken since their calls: the same recipient, the same subject and, which decides, the same
 * tags. `not_found` only where the whole time since the call was seen. The list is read once for all of them.
 */
export function createLookUp(session: ReturnType<typeof openSession>) {
  return async (asked: readonly Asked<RenderedEmail>[], signal: AbortSignal): Promise<LookUp[]> => {
    const ask = patiently(session, signal)
    const earliest = Math.min(...asked.map(sinceOf))
    const { seen, seenSince } = await listSince(earliest, ask).catch((error: unknown) => {
      // Keys that may do nothing but send are common, and good practice.
      if (error instanceof ProviderError && error.code === 'key_only_sends') return { seen: [], seenSince: Infinity }
      throw error
    })
    const found: LookUp[] = []
    for (const one of asked) found.push(await judge(one, seen, seenSince, ask))
    return found
  }
}

/** Asks for what may be asked for as often as one likes. */
type Ask = (call: (resend: Resend) => Promise<{ data: unknown }>) => Promise<unknown>

/** Comes again when Resend is too busy, as long as there is time. */
function patiently(session: ReturnType<typeof openSession>, signal: AbortSignal): Ask {
  const endsAt = performance.now() + lookUpMs
  return async (call) => {
    for (;;) {
      if (performance.now() > endsAt) throw new ProviderError('resend', 'retry', 'look_up_timeout')
      try {
        return await session.ask({ effect: 'repeatable', signal }, call)
      } catch (error) {
        if (!(error instanceof ProviderError) || error.code !== 'rate_limited') throw error
        const pauseMs = Math.max(error.retryAfterMs ?? 0, shortestPauseMs)
        if (performance.now() + pauseMs > endsAt) throw error
        // Where it is cut short, the next request says so.
        await wait(pauseMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

const sinceOf = ({ calledAt }: Asked<RenderedEmail>) => calledAt.getTime() - clockMs

/** What was taken since then, and since when all of it was seen: later than wanted where there are too many, never where that cannot be told. */
async function listSince(earliest: number, ask: Ask): Promise<{ seen: Listed[]; seenSince: number }> {
  const seen: Listed[] = []
  for (let page = 0; page < mostPages; page += 1) {
    const after = seen.at(-1)?.id
    const answer = await ask((resend) => resend.emails.list({ limit: pageSize, ...(after !== undefined && { after }) }))
    const { data, has_more: hasMore } = parsed(ListAnswer, answer)
    seen.push(...data)
    if (data.some((one) => createdAt(one) < earliest)) return { seen, seenSince: earliest }
    // The list may end because nothing is older, or because what is older is no longer kept: that is reckoned by the true clock, which is
    // Resend's, whatever time we decide by. The later it is taken to be, the less is called not found.
    if (!hasMore || data.length === 0) return { seen, seenSince: Math.max(earliest, Date.now() - keptMs) }
  }
  const oldest = seen.at(-1)
  return { seen, seenSince: oldest ? createdAt(oldest) + 1 : Infinity }
}

async function judge(one: Asked<RenderedEmail>, seen: readonly Listed[], seenSince: number, ask: Ask): Promise<LookUp> {
  const { message } = one
  const recipient = bareAddress(message.to)
  const candidates = seen.filter(
    (listed) =>
      createdAt(listed) >= sinceOf(one) &&
      listed.subject === message.subject &&
      listed.to.some((address) => bareAddress(address) === recipient),
  )
  if (candidates.length > mostCandidates) return { is: 'not_possible' }
  let isClear = seenSince <= sinceOf(one)
  for (const { id } of candidates) {
    const verdict = compare(message, parsed(Found, await ask((resend) => resend.emails.get(id))))
    if (verdict === 'same') return { is: 'found', providerMessageId: id }
    if (verdict === 'unclear') isClear = false
  }
  return { is: isClear ? 'not_found' : 'not_possible' }
}

/** Without tags the very same text is proof enough; a differing one is none, since Resend rewrites links that it counts. */
function compare(message: RenderedEmail, { tags, html }: z.infer<typeof Found>): 'same' | 'other' | 'unclear' {
  if (tags === undefined || tags.length === 0) return html === message.html ? 'same' : 'unclear'
  const told = new Map(tags.map(({ name, value }) => [name, value]))
  const ours = Object.entries(message.tags)
  if (ours.length === 0) return 'unclear'
  return ours.every(([name, value]) => told.get(name) === value) ? 'same' : 'other'
}

/** Its times come as `2023-04-03 22:13:42.674981+00`. */
function createdAt({ created_at: text }: Listed): number {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw unexpectedAnswer('repeatable')
  return at
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer)
  if (!result.success) throw unexpectedAnswer('repeatable')
  return result.data
}
