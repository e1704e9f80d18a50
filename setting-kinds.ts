import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { z } from 'zod'

/** The kinds of values that settings have. Each message says what one must be, and never repeats a secret. */

export const text = z.string()
export const port = wholeNumber(1, 65_535, 'a port from 1 to 65535')
export const count = wholeNumber(1, 100_000, 'a whole number from 1 to 100000')
export const emailAddress = z.email({ error: 'must be an e-mail address' })
export const webUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
  .transform((url) => url.replace(/\/+$/, ''))
/** Of which paths are asked that are not ours to prefix. */
export const webOrigin = webUrl.refine((url) => new URL(url).pathname === '/', 'must be an address without a path')
export const postgresUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' })
export const webhookSecret = text.regex(
  /^whsec_(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  'must be a signing secret, whsec_...',
)
export const stripePrice = text.regex(/^price_\w{1,250}$/, "must be a price's id at Stripe, price_...")
/** Signs as it stands: no base64, as that of Svix. */
export const stripeWebhookSecret = text.regex(/^whsec_\S{16,}$/, 'must be a signing secret, whsec_...')
export const addressList = text
  .transform((list) => list.split(',').map((entry) => entry.trim()))
  .pipe(z.array(text.regex(/^(\[[\da-f:.]+\]|[^\s:]+):\d{1,5}$/i, 'must be host:port, several with commas between')))
export const proxies = text
  .transform((given) => (/^\d+$/.test(given) ? Number(given) : given.split(',').map((entry) => entry.trim())))
  .refine((given) => typeof given === 'number' || given.every(isSubnet), {
    error: 'must be a number of proxies, or addresses and subnets with commas between',
  })

/** A service account's key file as Google hands it out: what of it counts. */
const serviceAccount = z
  .object({ client_email: z.email(), private_key: text.refine(isPrivateKey, 'is not a private key in PEM') })
  .transform(({ client_email: clientEmail, private_key: privateKey }) => ({ clientEmail, privateKey }))
export const serviceAccountJson = text.transform((json, context) => {
  const parsed = serviceAccount.safeParse(jsonOf(json))
  if (parsed.success) return parsed.data
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))].filter((path) => path !== '')
  const detail = fields.length > 0 ? `: see ${fields.join(', ')}` : ''
  context.addIssue({ code: 'custom', message: `must be a service account's key file, as JSON${detail}` })
  return z.NEVER
})
export const serviceAccountFile = text.transform((file, context) => {
  try {
    const content = serviceAccountJson.safeParse(readFileSync(file, 'utf8'))
    if (content.success) return content.data
    for (const { message } of content.error.issues) context.addIssue({ code: 'custom', message })
  } catch {
    context.addIssue({ code: 'custom', message: 'cannot be read' })
  }
  return z.NEVER
})

/** As Express takes it: an address, alone or with the length of a prefix, or its name for a private range. */
function isSubnet(entry: string): boolean {
  const [, address = '', length = '1'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
  const isRange = isIP(address) > 0 && Number(length) >= 1 && Number(length) <= (isIP(address) === 4 ? 32 : 128)
  return isRange || ['loopback', 'linklocal', 'uniquelocal'].includes(entry)
}

function jsonOf(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem)
    return true
  } catch {
    return false
  }
}

export function oneOf<const T extends string>(...choices: T[]) {
  return z.enum(choices, { error: `must be one of ${choices.join(', ')}` })
}

function wholeNumber(min: number, max: number, what: string) {
  const error = `must be ${what}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}
