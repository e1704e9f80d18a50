import type { Tx } from './client.ts'

export interface RequestIdentity {
  method: string
  path: string
  key: string
  /** A digest of the body: the same key with another body is a mistake. */
  fingerprint: string
}

export interface StoredAnswer {
  status: number
  headers: Record<string, string>
  /** The JSON as it was sent, so that a repeated answer is the same to the byte. */
  body: string
}

export type KeyClaim =
  | { outcome: 'claimed'; lockedUntil: Date }
  | { outcome: 'answered'; answer: StoredAnswer }
  | { outcome: 'inFlight' }
  | { outcome: 'mismatch' }

/** A key as one request holds it: another one that takes it over has a later lock. */
export interface HeldKey extends RequestIdentity {
  lockedUntil: Date
}

/** A request that died frees its key after this long. */
const lockSeconds = 60

/** Claims the key for this request, or tells what became of the request that had it first. */
export async function claimKey(tx: Tx, request: RequestIdentity, now: Date): Promise<KeyClaim> {
  const { method, path, key, fingerprint } = request
  const lockedUntil = new Date(now.getTime() + lockSeconds * 1000)
  const [claimed] = await tx`
    insert into idempotency_keys as mine (method, path, key, fingerprint, locked_until)
    values (${method}, ${path}, ${key}, ${fingerprint}, ${lockedUntil})
    on conflict (organisation_id, method, path, key) do update set locked_until = excluded.locked_until
      where mine.answer is null and mine.locked_until < ${now} and mine.fingerprint = excluded.fingerprint
    returning 1`
  if (claimed) return { outcome: 'claimed', lockedUntil }
  const [held] = await tx<{ fingerprint: string; answer: StoredAnswer | null }[]>`
    select fingerprint, answer from idempotency_keys
    where method = ${method} and path = ${path} and key = ${key}`
  if (!held) return { outcome: 'inFlight' } // Freed between the two statements.
  if (held.fingerprint !== fingerprint) return { outcome: 'mismatch' }
  return held.answer ? { outcome: 'answered', answer: held.answer } : { outcome: 'inFlight' }
}

/**
 * Keeps the answer for every later request with this key; false when another request has taken the key over. In the transaction that did
 * the work, both or neither happen.
 */
export async function storeAnswer(tx: Tx, held: HeldKey, answer: StoredAnswer): Promise<boolean> {
  const [row] = await tx`
    update idempotency_keys set answer = ${tx.json({ ...answer })}
    where ${isHeld(tx, held)} returning 1`
  return row !== undefined
}

/** Frees a key whose request came to nothing, so that a corrected one may use it. */
export async function releaseKey(tx: Tx, held: HeldKey): Promise<void> {
  await tx`delete from idempotency_keys where ${isHeld(tx, held)}`
}

const isHeld = (tx: Tx, { method, path, key, lockedUntil }: HeldKey) =>
  tx`method = ${method} and path = ${path} and key = ${key} and answer is null and locked_until = ${lockedUntil}`
