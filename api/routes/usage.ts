import { z } from 'zod'
import { currentOrganisation } from '../../db/organisations.ts'
import { monthOf } from '../../db/spend.ts'
import { type MonthOfUse, usageByMonth } from '../../db/usage.ts'
import { type Endpoint, route } from '../route.ts'

const mostMonths = 24

const count = z.int().min(0)

const Month = z
  .strictObject({
    month: z.string().meta({ example: '2026-11' }),
    campaigns: count.meta({ description: 'Started' }),
    searches: count.meta({ description: 'Paid, as booked in the spend ledger' }),
    sitesRead: count,
    rowsExported: count.meta({ description: 'Prospects written to spreadsheets' }),
  })
  .meta({ id: 'MonthOfUse' })

const Usage = z
  .strictObject({
    allowance: z.strictObject({
      searches: count.nullable().meta({ description: 'That may be paid for in a month; null: no ceiling of ours' }),
      left: count.nullable().meta({ description: 'This month' }),
    }),
    months: z.array(Month).meta({ description: 'Calendar months by UTC, this one first' }),
  })
  .meta({ id: 'Usage' })

const months = `Give a whole number from 1 to ${mostMonths}.`

export function usageRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/usage',
      permission: 'usage:read',
      tag: 'Usage',
      summary: 'Read what you have used',
      description: 'By calendar month (UTC), counted from the ledger and the rows themselves.',
      query: z.strictObject({
        months: z.coerce
          .number(months)
          .int(months)
          .min(1, months)
          .max(mostMonths, months)
          .default(12)
          .meta({
            description: 'How many months back',
            override: { type: 'integer', minimum: 1, maximum: mostMonths },
          }),
      }),
      success: { status: 200, description: 'The allowance, and the use of each month', schema: Usage },
      handler: ({ query, as, now }) =>
        as(async (tx) => {
          const firsts = Array.from({ length: query.months }, (_, back) => monthOf(now, -back))
          const used = await usageByMonth(tx, firsts.at(-1) ?? monthOf(now), monthOf(now, 1))
          const { monthlySearches } = await currentOrganisation(tx)
          const all = firsts.map((first) => monthAnswer(first, used))
          const left = monthlySearches === null ? null : Math.max(0, monthlySearches - (all[0]?.searches ?? 0))
          return { body: { allowance: { searches: monthlySearches, left }, months: all } }
        }),
    }),
  ]
}

function monthAnswer(first: Date, used: readonly MonthOfUse[]): z.input<typeof Month> {
  const unused = { campaigns: 0, searches: 0, sitesRead: 0, rowsExported: 0 }
  const { campaigns, searches, sitesRead, rowsExported } =
    used.find(({ month }) => month.getTime() === first.getTime()) ?? unused
  return { month: first.toISOString().slice(0, 7), campaigns, searches, sitesRead, rowsExported }
}
