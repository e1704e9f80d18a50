import { sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { createGoogleSheets } from '../../providers/google/client.ts'
import { sandboxCredentialsFile } from '../../providers/google/sandbox-token.ts'
import type { TestSandbox } from './sandbox.ts'

/** Of the sandbox's own service account. */
export const credentials = z
  .object({ client_email: z.string(), private_key: z.string() })
  .transform(({ client_email: clientEmail, private_key: privateKey }) => ({ clientEmail, privateKey }))
  .parse(JSON.parse(readFileSync(sandboxCredentialsFile, 'utf8')))

export function googleSheets(sandbox: TestSandbox, changes: Partial<Parameters<typeof createGoogleSheets>[0]> = {}) {
  return createGoogleSheets({ ...credentials, baseUrl: sandbox.urls.google, ...changes })
}

/** A sandbox, in this process or another. */
interface GoogleHost {
  urls: { google: string }
}

/** Asks the sandbox's Google without our client, whose work is what is looked at. */
export async function askGoogle(sandbox: GoogleHost, path: string, init: RequestInit = {}): Promise<Response> {
  const now = Math.floor(Date.now() / 1000)
  const token = await grant(sandbox, {
    iss: credentials.clientEmail,
    scope: 'https://www.googleapis.com/auth/drive',
    aud: 'https://oauth2.googleapis.com/token',
    iat: now,
    exp: now + 3600,
  })
  const { access_token } = z.object({ access_token: z.string() }).parse(await token.json())
  return fetch(`${sandbox.urls.google}${path}`, { ...init, headers: { authorization: `Bearer ${access_token}` } })
}

export function grant(sandbox: GoogleHost, claims: object, key = credentials.privateKey): Promise<Response> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  const assertion = `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
  return fetch(`${sandbox.urls.google}/token`, { method: 'POST', body })
}

/** The values of a range such as `A:C`, row by row. */
export async function valuesOf(sandbox: GoogleHost, spreadsheetId: string, range: string): Promise<unknown[][]> {
  const response = await askGoogle(sandbox, `/v4/spreadsheets/${spreadsheetId}/values/${range}`)
  return z.object({ values: z.array(z.array(z.unknown())).default([]) }).parse(await response.json()).values
}
