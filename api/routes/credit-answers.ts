import { z } from 'zod'
import type { CreditBalance, CreditEntry } from '../../db/credit-lists.ts'
import { creditEntryKinds, grantSources } from '../../workflows/contracts/credits.ts'

const Grant = z
  .strictObject({
    id: z.uuid(),
    source: z.enum(grantSources).meta({ description: '`purchase` and `top_up` were paid for' }),
    amount: z.int(),
    remaining: z.int(),
    priority: z.int().meta({ description: 'The lower is burned first' }),
    expiresAt: z.iso.datetime().nullable().meta({ description: 'From this moment on it is gone' }),
    grantedAt: z.iso.datetime(),
  })
  .meta({ id: 'CreditGrant' })

export const Balance = z
  .strictObject({
    type: z.string(),
    balance: z
      .int()
      .meta({ description: 'What may be burned now; below zero it is owed, and the next grant pays it first' }),
    reserved: z.int().meta({ description: 'Set aside for what is under way: no part of the balance' }),
    period: z
      .strictObject({
        granted: z.int().meta({ description: 'What the period began with, and what was granted since' }),
        metered: z.int().meta({ description: 'What was used beyond the balance: it is invoiced' }),
        beganAt: z.iso.datetime(),
      })
      .meta({ description: 'Begins with the credits that a subscription brings anew' }),
    grants: z
      .array(Grant)
      .meta({ description: 'Of which something remains, in the order in which they burn; the first hundred' }),
  })
  .meta({ id: 'CreditBalance' })

export const Entry = z
  .strictObject({
    id: z.uuid(),
    kind: z.enum(creditEntryKinds).meta({
      description: `\`reserved\` and \`released\`: for an act under way, and what it did not take. \`repaid\`: a grant has paid for what was owed, or has that back. \`clawed_back\`: its payment was taken back. \`given_back\`: its payment came again after all.`,
    }),
    amount: z.int().meta({ description: 'Below zero: it left the balance' }),
    grantId: z.uuid().nullable().meta({ description: 'Null: a debt, or its payment' }),
    source: z.string().meta({ description: 'The act that it came from', example: 'usage/call/2026-11-21/0042' }),
    at: z.iso.datetime(),
  })
  .meta({ id: 'CreditEntry' })

export function balanceAnswer({
  periodGranted,
  periodMetered,
  periodBeganAt,
  grants,
  ...rest
}: CreditBalance): z.input<typeof Balance> {
  return {
    ...rest,
    period: { granted: periodGranted, metered: periodMetered, beganAt: periodBeganAt.toISOString() },
    grants: grants.map(({ expiresAt, grantedAt, ...grant }) => ({
      ...grant,
      expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
      grantedAt: new Date(grantedAt).toISOString(),
    })),
  }
}

export function entryAnswer({ sourceKey, at, ...entry }: CreditEntry): z.input<typeof Entry> {
  return { ...entry, source: sourceKey, at: at.toISOString() }
}
