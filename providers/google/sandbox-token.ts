import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** A key file of the sandbox's own account, as Google hands them out. It opens nothing but the sandbox. */
export const sandboxCredentialsFile: string = fileURLToPath(new URL('./sandbox-credentials.json', import.meta.url))

const { client_email: account, private_key: privateKey } = z
  .object({ client_email: z.string(), private_key: z.string() })
  .parse(JSON.parse(readFileSync(sandboxCredentialsFile, 'utf8')))
const publicKey = createPublicKey(privateKey)

/** Follows from the account, so that tokens of an earlier run hold: the sandbox's clock can be moved, the SDK's cannot. */
const accessToken = `ya29.sandbox-${createHash('sha256').update(privateKey).digest('base64url')}`

const Claims = z.object({
  iss: z.literal(account),
  scope: z.string().min(1),
  aud: z.literal('https://oauth2.googleapis.com/token'),
  iat: z.number(),
  exp: z.number(),
})

export { account }

export function hasToken(request: Request): boolean {
  return request.headers.get('authorization') === `Bearer ${accessToken}`
}

/** Google's token endpoint for service accounts: a signed assertion for a token of an hour. */
export async function grantToken(request: Request): Promise<Response> {
  const form = new URLSearchParams(await request.text())
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    return refused('unsupported_grant_type', 'Invalid grant_type')
  }
  const [header = '', payload = '', signature = ''] = (form.get('assertion') ?? '').split('.')
  const signed = Buffer.from(`${header}.${payload}`)
  if (!verify('RSA-SHA256', signed, publicKey, Buffer.from(signature, 'base64url'))) {
    return refused('invalid_grant', 'Invalid JWT Signature.')
  }
  const claims = Claims.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  if (!claims.success || claims.data.exp - claims.data.iat > 3600) return refused('invalid_grant', 'Invalid JWT')
  return Response.json({ access_token: accessToken, expires_in: 3599, token_type: 'Bearer' })
}

function refused(error: string, description: string): Response {
  return Response.json({ error, error_description: description }, { status: 400 })
}
