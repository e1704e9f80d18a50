import { z } from 'zod'
import type { Metadata } from './sandbox-values.ts'

interface Form {
  [name: string]: string | Form
}

/** Of `a[b][]=x&a[c]=y` what is in what; lists are forms with numbers for names. */
export function readForm(pairs: URLSearchParams): Form {
  const form: Form = {}
  for (const [name, value] of pairs) {
    const [first = '', ...rest] = name.split(/\]?\[/).map((part) => part.replace(/\]$/, ''))
    put(form, [first, ...rest], value)
  }
  return form
}

function put(form: Form, [name = '', ...rest]: string[], value: string): void {
  const key = name === '' ? String(Object.keys(form).length) : name
  if (rest.length === 0) {
    form[key] = value
    return
  }
  const inner = form[key]
  const deeper = typeof inner === 'object' ? inner : {}
  form[key] = deeper
  put(deeper, rest, value)
}

/** No parameters. */
export const nothing = z.strictObject({})

/** What forms say, in words alone: a text, a number, a yes, a list. */
export const text = z.string().max(5_000)
export const whole = z
  .string()
  .regex(/^-?\d+$/, 'must be an integer')
  .transform(Number)
export const yesNo = z.enum(['true', 'false']).transform((word) => word === 'true')
export const listed = <T extends z.ZodType>(one: T) =>
  z.preprocess((given) => (typeof given === 'object' && given !== null ? Object.values(given) : given), z.array(one))
/** The empty text takes a value away. */
export const orGone = <T extends z.ZodType>(one: T) => z.union([z.literal('').transform(() => null), one])
export const metadata = orGone(z.record(z.string(), z.string()))
/** Of a price that is paid again and again. */
export const recurring = z.strictObject({
  interval: z.enum(['day', 'week', 'month', 'year']),
  interval_count: whole.optional(),
})
export type MetadataChange = z.infer<typeof metadata>

/** An empty value takes a key away, an empty metadata all of them. */
export function merged(before: Metadata, change: MetadataChange | undefined): Metadata {
  if (change === null) return {}
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''))
}

/** Of lists: which page, and made when. */
export const paging = {
  limit: whole.pipe(z.int().min(1).max(100)).default(10),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
  created: z
    .union([
      whole.transform((at) => ({ gte: at, lte: at })),
      z.strictObject({ gt: whole, gte: whole, lt: whole, lte: whole }).partial(),
    ])
    .optional(),
}
export type Paging = z.infer<z.ZodObject<typeof paging>>
