import { z } from 'zod'
import { wakeBilling } from '../../db/billing-story.ts'
import type { Database } from '../../db/client.ts'
import { listUnreported, resolveUse, usageResolutions } from '../../db/unreported-usage.ts'
import type { Handover } from '../handover.ts'
import { namedByPlatform, ownOrNamed } from '../platform.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Billing'

const most = 100

const UnreportedUse = z
  .strictObject({
    key: z.string().meta({ description: 'As it was reported to us by POST /usage' }),
    type: z.string(),
    metered: z.int().min(1).meta({ description: "In the type's smallest unit" }),
    problem: z.string().meta({
      description: '`unconfirmed`: Stripe may know of it. Else the code with which Stripe has refused it',
      example: 'unconfirmed',
    }),
    at: z.iso.datetime().meta({ description: 'When it was used' }),
  })
  .meta({ id: 'UnreportedUse' })

const Resolution = z
  .strictObject({
    organisationId: z.uuid().meta({ description: 'The organisation that it is about' }),
    key: z.string().min(1).max(200).meta({ description: 'Of the use' }),
    as: z.enum(usageResolutions).meta({
      description:
        '`reported`: Stripe has it, or is not to have it. `report_again`: it is invoiced once more if Stripe had it after all',
    }),
  })
  .meta({ id: 'UsageResolution' })

export function unreportedUsageRoutes({
  database,
  handover,
}: {
  database: Database
  handover: Pick<Handover, 'begin'>
}): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/billing/unreported-usage',
      permission: 'billing:read',
      tag,
      summary: 'List metered use that Stripe may not know of',
      description: `What was used beyond the credits is reported to Stripe by itself. What Stripe has refused, or has not answered for within a day, is not
repeated: it might be invoiced twice. The oldest hundred.`,
      query: z.strictObject({
        organisationId: z.uuid().exactOptional().meta({ description: "For keys of the platform's organisation" }),
      }),
      success: {
        status: 200,
        description: 'What is to be decided',
        schema: z.strictObject({ data: z.array(UnreportedUse) }),
      },
      async handler({ query: { organisationId }, ...call }) {
        const { as } = await ownOrNamed(database, call, organisationId)
        const uses = await as((tx) => listUnreported(tx, most))
        return { body: { data: uses.map(({ at, ...use }) => ({ ...use, at: at.toISOString() })) } }
      },
    }),

    route({
      method: 'post',
      path: '/billing/unreported-usage/resolve',
      permission: 'billing:write',
      tag,
      summary: 'Decide what becomes of metered use',
      description: `For keys of the platform's organisation: look at the meter in Stripe's dashboard first.`,
      body: Resolution,
      example: {
        organisationId: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
        key: 'call/2026-11-21/0042',
        as: 'report_again',
      },
      problems: ['not_found'],
      success: {
        status: 200,
        description: 'It is settled, or reported within minutes',
        schema: z.strictObject({ key: z.string() }),
      },
      async handler({ body: { organisationId, key, as: decided }, caller, requestId, now, as }) {
        const whose = await namedByPlatform(database, { caller, as }, organisationId)
        const workflowId = await whose.as(async (tx) => {
          const actor = `key:${caller.keyId}`
          found((await resolveUse(tx, { key, as: decided, actor, now })) || null, 'metered use that is to be decided')
          return decided === 'report_again' ? wakeBilling(tx, { organisationId, requestId }, now) : null
        })
        if (workflowId !== null) handover.begin(workflowId)
        return { body: { key } }
      },
    }),
  ]
}
