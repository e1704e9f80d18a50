import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Sql } from './client.ts'
import { answered } from './deadline.ts'

const patienceMs = 5_000

export interface ApiKey {
  id: string
  organisationId: string
  permissions: string[]
}

/**
 * Makes a key `tl_<id>_<secret>` of an organisation and returns it: the only time that the secret is seen, since its SHA-256 is
 * stored. (The secret is 256 random bits, so a slow password hash would protect nothing.)
 */
export async function createApiKey(
  system: Sql,
  input: { organisationId: string; name: string; permissions: readonly string[] },
): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  const [row] = await system<{ id: string }[]>`
    insert into api_keys (organisation_id, name, secret_hash, permissions)
    values (${input.organisationId}, ${input.name}, ${sha256(secret)}, ${[...input.permissions]})
    returning id`
  if (!row) throw new Error('insert returned no row')
  return `tl_${row.id.replaceAll('-', '')}_${secret}`
}

/** The key that this text is, or null: malformed, unknown, wrong secret, expired and revoked look alike from outside. */
export async function findApiKey(system: Sql, text: string, now: Date): Promise<ApiKey | null> {
  const parts = /^tl_([0-9a-f]{32})_([\w-]{43})$/.exec(text)
  const [, id, secret] = parts ?? []
  if (!id || !secret) return null
  const query = system<(ApiKey & { secretHash: Uint8Array })[]>`
    select id, organisation_id, permissions, secret_hash from api_keys
    where id = ${id} and revoked_at is null and (expires_at is null or expires_at > ${now})`
  const [row] = await answered(query, patienceMs)
  if (!row || !timingSafeEqual(row.secretHash, sha256(secret))) return null
  return { id: row.id, organisationId: row.organisationId, permissions: row.permissions }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
