import { z } from 'zod'
import { creditBalances, listCreditEntries } from '../../db/credit-lists.ts'
import { CreditType } from '../../workflows/contracts/credits.schema.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { type Endpoint, route } from '../route.ts'
import { Balance, balanceAnswer, Entry, entryAnswer } from './credit-answers.ts'

const tag = 'Credits'

export function creditRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/credits',
      permission: 'credits:read',
      tag,
      summary: 'Read the balances',
      description: 'One a type of credit, in its smallest unit, each with the grants of which something remains.',
      success: { status: 200, description: 'The balances', schema: z.strictObject({ data: z.array(Balance) }) },
      handler: async ({ as, now }) => ({
        body: { data: (await as((tx) => creditBalances(tx, now))).map(balanceAnswer) },
      }),
    }),

    route({
      method: 'get',
      path: '/credits/ledger',
      permission: 'credits:read',
      tag,
      summary: 'List what came and went',
      description: `The ledger of one type, the newest entry first. Nothing in it is ever changed, and the balance is its sum. An act that took from
several grants has an entry for each.`,
      query: PageQuery.extend({ type: CreditType }),
      success: { status: 200, description: 'A page of entries', schema: Page(Entry) },
      async handler({ query: { limit, cursor, type }, as }) {
        const rows = await as((tx) => listCreditEntries(tx, type, { limit: limit + 1, before: cursor ?? null }))
        return { body: pageOf(rows, limit, entryAnswer) }
      },
    }),
  ]
}
