import { z } from 'zod'
import { type LookUp, ProviderError, type RenderedEmail } from '../../activities/ports.ts'
import { bareAddress } from './addresses.ts'
import { type openSession, unexpectedAnswer } from './session.ts'

/** Resend lists the newest first and cannot be asked for a time or a recipient. */
const pageSize = 100
const mostPages = 10
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
 * Looks for a message among those that Resend has taken since its call: the same recipient, the same subject and, which decides, the same
 * tags. `not_found` only where the whole time since the call was seen.
 */
export function createLookUp(session: ReturnType<typeof openSession>) {
  return async (message: RenderedEmail, calledAt: Date, signal: AbortSignal): Promise<LookUp> => {
    const since = calledAt.getTime() - clockMs
    const { candidates, sawAll } = await listSince(since).catch((error: unknown) => {
      // Keys that may do nothing but send are common, and good practice.
      if (error instanceof ProviderError && error.code === 'key_only_sends') return { candidates: [], sawAll: false }
      throw error
    })
    if (candidates.length > mostCandidates) return { is: 'not_possible' }
    let isClear = sawAll
    for (const { id } of candidates) {
      const verdict = compare(message, await read(id))
      if (verdict === 'same') return { is: 'found', providerMessageId: id }
      if (verdict === 'unclear') isClear = false
    }
    return { is: isClear ? 'not_found' : 'not_possible' }

    async function listSince(earliest: number): Promise<{ candidates: Listed[]; sawAll: boolean }> {
      const seen: Listed[] = []
      for (let page = 0; page < mostPages; page += 1) {
        const after = seen.at(-1)?.id
        const answer = await session.ask({ effect: 'repeatable', signal }, (resend) =>
          resend.emails.list({ limit: pageSize, ...(after !== undefined && { after }) }),
        )
        const { data, has_more: hasMore } = parsed(ListAnswer, answer)
        seen.push(...data)
        const isBeyond = data.some((one) => createdAt(one) < earliest)
        // The list may end because nothing is older, or because what is older is no longer kept.
        const isEnd = !hasMore || data.length === 0
        if (isBeyond || isEnd) {
          return { candidates: candidatesOf(seen, earliest), sawAll: isBeyond || Date.now() - earliest < keptMs }
        }
      }
      return { candidates: candidatesOf(seen, earliest), sawAll: false }
    }

    function candidatesOf(seen: Listed[], earliest: number): Listed[] {
      const recipient = bareAddress(message.to)
      return seen.filter(
        (one) =>
          createdAt(one) >= earliest &&
          one.subject === message.subject &&
          one.to.some((address) => bareAddress(address) === recipient),
      )
    }

    async function read(id: string) {
      return parsed(Found, await session.ask({ effect: 'repeatable', signal }, (resend) => resend.emails.get(id)))
    }
  }
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
