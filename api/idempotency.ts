import { createHash, randomUUID } from 'node:crypto'
import type { Database, Tx } from '../db/client.ts'
import {
  claimKey,
  type HeldKey,
  type RequestIdentity,
  releaseKey,
  type StoredAnswer,
  storeAnswer,
} from '../db/idempotency-keys.ts'
import { invalidInput, Problem } from './problem.ts'

/** Keeps an answer in the transaction that does the work, so that a crash cannot separate the two. */
export type Keep = (tx: Tx, answer: StoredAnswer) => Promise<void>

/**
 * Does the work once per Idempotency-Key: a repeated request gets the first one's answer. The answer is kept in the work's own transaction
 * if the work asks for that, else after it. Work that fails leaves the key free for another try.
 */
export async function answerOnce(
  database: Database,
  request: { organisationId: string; identity: RequestIdentity | null; now: Date },
  work: (keep: Keep) => Promise<StoredAnswer>,
): Promise<StoredAnswer> {
  const { organisationId, identity, now } = request
  if (identity === null) return work(async () => {})
  const claim = await database.as(organisationId, (tx) => claimKey(tx, identity, now))
  if (claim.outcome === 'answered') {
    return { ...claim.answer, headers: { ...claim.answer.headers, 'idempotency-replayed': 'true' } }
  }
  if (claim.outcome === 'mismatch') {
    throw new Problem('idempotency_mismatch', 'This Idempotency-Key came with another body before.')
  }
  if (claim.outcome === 'inFlight') throw inFlight()
  const held: HeldKey = { ...identity, lockedUntil: claim.lockedUntil }
  let kept = false
  const keep: Keep = async (tx, answer) => {
    // Whoever was slower than the lock lasts finds the key taken over: then its work is undone with this transaction.
    if (!(await storeAnswer(tx, held, answer))) throw inFlight()
    kept = true
  }
  try {
    const answer = await work(keep)
    if (!kept) await database.as(organisationId, (tx) => storeAnswer(tx, held, answer))
    return answer
  } catch (error) {
    // If this fails too, the lock still ends by itself.
    await database.as(organisationId, (tx) => releaseKey(tx, held)).catch(() => {})
    throw error
  }
}

/** The key of a request, read from its header; null without one. */
export function requestIdentity(request: {
  method: string
  path: string
  key: string | undefined
  body: unknown
}): RequestIdentity | null {
  const { method, path, key, body } = request
  if (key === undefined) return null
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw invalidInput([{ pointer: '/headers/idempotency-key', detail: 'Give 1 to 255 printable ASCII characters.' }])
  }
  const fingerprint = createHash('sha256')
    .update(JSON.stringify(body ?? null))
    .digest('hex')
  return { method, path, key, fingerprint }
}

function inFlight(): Problem {
  const headers = { 'retry-after': '1' }
  return new Problem('idempotency_in_flight', 'The request that had this Idempotency-Key first is not done yet.', {
    headers,
  })
}

/**
 * What a request is known by to Temporal: the same each time that it is repeated under its key, another one without. A key may be anything,
 * a name too, so Temporal gets a digest. `scope` is what the key is for.
 */
export function storyRequestId(scope: string, key: string | null): string {
  return key === null ? randomUUID() : createHash('sha256').update(`${scope}/${key}`).digest('hex')
}
