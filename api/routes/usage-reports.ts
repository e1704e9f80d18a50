import { z } from 'zod'
import { wakeCustomersBilling } from '../../db/billing-story.ts'
import type { Tx } from '../../db/client.ts'
import { burnUse, ToldMeanwhile } from '../../db/credit-ledger.ts'
import { creditTypes } from '../../db/credit-lists.ts'
import { CreditType } from '../../workflows/contracts/credits.schema.ts'
import { mostCredits } from '../../workflows/contracts/credits.ts'
import { invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'

const UsageReport = z
  .strictObject({
    key: z
      .string()
      .min(1)
      .max(200)
      .meta({ description: 'Names this one use: told again under the same key, it burns nothing more' }),
    type: CreditType,
    amount: z.int().min(1).max(mostCredits).meta({ description: "In the type's smallest unit" }),
  })
  .meta({ id: 'UsageReport' })

const ReportedUsage = z
  .strictObject({
    key: z.string(),
    type: z.string(),
    amount: z.int(),
    balance: z.int().meta({ description: 'What it left, when it was told first' }),
    metered: z
      .int()
      .min(0)
      .meta({ description: 'Of the amount, what the balance did not cover: the next invoice has it' }),
  })
  .meta({ id: 'ReportedUsage' })

export function usageReportRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/usage',
      permission: 'usage:write',
      tag: 'Usage',
      summary: 'Report what was used',
      description: `Burns credits, all or nothing: from the grants by their priority, then what expires first, then what was granted before what was
bought. What the balance does not cover is metered where a subscription has a metered price for the type: its next invoice has it. Of any other
type, such a use is answered 402 and burns nothing; a type that neither a plan nor the organisation has is answered 400 with those that there are.`,
      body: UsageReport,
      example: { key: 'call/2026-11-21/0042', type: 'call_seconds', amount: 184 },
      problems: ['payment_required', 'conflict'],
      success: { status: 200, description: 'What was burned, and metered', schema: ReportedUsage },
      handler({ body, caller, requestId, now, answerAs }) {
        const report = () =>
          answerAs(async (tx) => {
            const { is, balance, metered, crossed } = await burnUse(tx, body, now)
            if (is === 'other') {
              throw new Problem('conflict', `Another use was reported under the key "${body.key}". Give each its own.`)
            }
            if (is === 'short') throw (await unknownType(tx, body)) ?? tooFew(body, balance)
            const told = { organisationId: caller.organisationId, requestId }
            const workflowIds = crossed ? await wakeCustomersBilling(tx, told, now) : []
            return { body: { ...body, balance, metered }, workflowIds }
          })
        return report().catch((error: unknown) => {
          if (error instanceof ToldMeanwhile) return report()
          throw error
        })
      },
    }),
  ]
}

/** A type that credits never come in is a slip, and nothing that one could buy; null: they do. */
async function unknownType(tx: Tx, { type }: { type: string }): Promise<Problem | null> {
  const known = await creditTypes(tx)
  if (known.includes(type)) return null
  const there = known.length > 0 ? `Give one of these: ${known.join(', ')}.` : 'Nothing in GET /plans brings credits.'
  return invalidInput([{ pointer: '/type', detail: `There are no credits of the type "${type}". ${there}` }])
}

function tooFew({ type, amount }: { type: string; amount: number }, balance: number): Problem {
  const there = balance < 0 ? `${-balance} of it owed` : `${balance} left`
  const detail = `This takes ${amount} credits of the type ${type}, with ${there}. GET /plans lists what can be bought.`
  return new Problem('payment_required', detail)
}
