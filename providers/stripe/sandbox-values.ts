import { randomBytes } from 'node:crypto'

/** In seconds. */
export const day = 86_400

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** As Stripe makes them: `cus_TqJ3...`. */
export function newId(prefix: string): string {
  return `${prefix}_${Array.from(randomBytes(24), (byte) => letters[byte % letters.length]).join('')}`
}

/** A T or null, whichever it is now: in a factory it says the type of a field. */
export const orNull = <T>(value: T | null): T | null => value

/** An object with nothing in it now. */
export const maybe = <T extends object>(nothing: Partial<T>): Partial<T> => nothing

/** One of several words, the first of them now. */
export const oneOf = <T extends string>(first: T): T => first

export type Metadata = Record<string, string>

/** `base` with what is given in its place. */
export function over<T extends object>(base: T, given: { [K in keyof T]?: T[K] | undefined }): T {
  return { ...base, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) }
}

/** A key of no request and no answer: what stands under it is the sandbox's own, and is never shown. */
export const own = '[sandbox]'

/** As it goes over the wire. */
export function wireText(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === own) return undefined
    return key !== '' && isLongList(inner)
      ? { ...inner, has_more: true, data: inner.data.slice(0, mostEmbedded) }
      : inner
  })
}

/** Of a list that comes with the object it is of, so many are shown. */
const mostEmbedded = 10

function isLongList(value: unknown): value is List<unknown> {
  if (typeof value !== 'object' || value === null || !('object' in value) || !('data' in value)) return false
  return value.object === 'list' && Array.isArray(value.data) && value.data.length > mostEmbedded
}

export interface List<T> {
  object: 'list'
  url: string
  has_more: boolean
  data: T[]
}

export function listOf<T>(url: string, data: T[], hasMore = false): List<T> {
  return { object: 'list', url, has_more: hasMore, data }
}

export const noAddress = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null }
