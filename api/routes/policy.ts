import { z } from 'zod'
import { resumeHeld } from '../../db/enrolments.ts'
import { type CurrentPolicy, changePolicy, currentPolicy, pauseOrganisation } from '../../db/policies.ts'
import { wakeSequences } from '../../db/waking.ts'
import { SendingPolicy, SendingPolicyChange } from '../../workflows/contracts/sending.schema.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Policy'

const Policy = z
  .strictObject({
    ...SendingPolicy.shape,
    pausedAt: z.iso.datetime().nullable().meta({ description: 'Since when nothing goes out; null: it does' }),
    actor: z
      .string()
      .nullable()
      .meta({ description: 'Who changed it last; null: it is the one that comes with Throughline' }),
    updatedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Policy' })

const controls = {
  pause: {
    summary: 'Pause the organisation',
    description: 'Nothing goes out any more, to nobody. Everyone keeps their place.',
  },
  resume: { summary: 'Resume the organisation', description: 'Everyone goes on, each when it is their time.' },
} as const

export function policyRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/policy',
      permission: 'policy:read',
      tag,
      summary: 'Read the policy',
      description: 'When the organisation writes to people.',
      success: { status: 200, description: 'The policy', schema: Policy },
      handler: async ({ as }) => ({ body: policyAnswer(await as(currentPolicy)) }),
    }),

    route({
      method: 'post',
      path: '/policy',
      permission: 'policy:write',
      tag,
      summary: 'Change the policy',
      description:
        'What is not given stays; the window is given as a whole. It holds at once, also for those who wait already or are held because no hour was allowed.',
      body: SendingPolicyChange,
      example: { window: { from: '09:00', to: '18:00', outside: 'hold' }, minGap: 'P1D' },
      success: { status: 200, description: 'The policy now', schema: Policy },
      handler: ({ body, caller, requestId, now, answerAs }) =>
        answerAs(async (tx) => {
          const actor = `key:${caller.keyId}`
          const changed = await changePolicy(tx, body, { actor, now })
          if (body.window) await resumeHeld(tx, { reason: 'no_common_window' }, { actor, requestId, now })
          return { body: policyAnswer(changed), workflowIds: await wakeSequences(tx, null, { requestId, now }) }
        }),
    }),

    ...(['pause', 'resume'] as const).map((action) =>
      route({
        method: 'post',
        path: `/policy/${action}`,
        permission: 'policy:write',
        tag,
        ...controls[action],
        success: { status: 200, description: 'The policy now', schema: Policy },
        handler: ({ caller, requestId, now, answerAs }) =>
          answerAs(async (tx) => {
            const change = { actor: `key:${caller.keyId}`, now }
            const changed = await pauseOrganisation(tx, action === 'pause', change)
            const workflowIds = action === 'resume' ? await wakeSequences(tx, null, { requestId, now }) : []
            return { body: policyAnswer(changed), workflowIds }
          }),
      }),
    ),
  ]
}

function policyAnswer({ policy: current, pausedAt, actor, updatedAt }: CurrentPolicy): z.input<typeof Policy> {
  return {
    ...current,
    pausedAt: pausedAt?.toISOString() ?? null,
    actor,
    updatedAt: updatedAt?.toISOString() ?? null,
  }
}
