import { z } from 'zod'

/** The id that a page ends with, in a form that nobody takes for something to build by hand. */
const Cursor = z
  .string()
  .regex(/^[\w-]{22}$/, 'Give the nextCursor of the page before as it was.')
  .transform((text) => {
    const hex = Buffer.from(text, 'base64url').toString('hex')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  })

export const PageQuery = z.strictObject({
  limit: z.coerce
    .number('Give a whole number from 1 to 100.')
    .int('Give a whole number from 1 to 100.')
    .min(1, 'Give a whole number from 1 to 100.')
    .max(100, 'Give a whole number from 1 to 100.')
    .default(20)
    .meta({ description: 'How many to list at most', override: { type: 'integer', minimum: 1, maximum: 100 } }),
  cursor: Cursor.optional().meta({ description: 'The nextCursor of the page before; without it the list begins' }),
})

/** One page of a list, and the cursor of the next one: null on the last. */
export function Page<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ data: z.array(item), nextCursor: z.string().nullable() })
}

/** Makes a page of rows that were read with one more than `limit`, which only shows that there are more. */
export function pageOf<Row extends { id: string }, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
) {
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    data: page.map(item),
    nextCursor: last ? Buffer.from(last.id.replaceAll('-', ''), 'hex').toString('base64url') : null,
  }
}
