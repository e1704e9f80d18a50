import { z } from 'zod'
import { type CurrentPolicy, changePolicy, currentPolicy, pauseOrganisation } from '../../db/policies.ts'
import { wakeSequences } from '../../db/waking.ts'
import { channels } from '../../workflows/contracts/sending.ts'
import { dayMs, parseDuration } from '../../workflows/rules/durations.ts'
import type { Handover } from '../handover.ts'
import { type Endpoint, route } from '../route.ts'

const tag = 'Policy'

const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'Give a time of day as HH:MM, such as 08:00.')

const duration = (mostDays: number) =>
  z.string().refine((text) => {
    const ms = parseDuration(text)
    return ms !== null && ms <= mostDays * dayMs
  }, `Give a duration as ISO 8601 has it, such as PT1H or P2D, of at most ${mostDays} days.`)

const window = {
  from: localTime,
  to: localTime.meta({ description: 'May be of the next day; the same as `from` is the whole day' }),
  outside: z
    .enum(['hold', 'skip'])
    .meta({ description: 'What becomes of a marketing message outside of it: it waits, or is left out' }),
}

const policy = {
  minGap: duration(90).meta({ description: 'Between two marketing messages to one person, over all sequences' }),
  consentRequired: z
    .array(z.enum(channels))
    .max(channels.length)
    .meta({ description: 'Channels on which marketing needs a recorded consent' }),
  unconfirmedAfter: duration(30).meta({
    description: 'After how long a journey goes on as if a message had been sent whose outcome nobody knows',
  }),
}

const PolicyChanges = z
  .strictObject({ window: z.strictObject(window), ...policy })
  .partial()
  .meta({ id: 'PolicyChanges' })

const Policy = z
  .strictObject({
    window: z.strictObject(window).meta({ description: 'In the time of the recipient' }),
    ...policy,
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

export function policyRoutes({ handover }: { handover: Pick<Handover, 'begin'> }): Endpoint[] {
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
        'What is not given stays; the window is given as a whole. It holds at once, also for those who wait already.',
      body: PolicyChanges,
      example: { window: { from: '09:00', to: '18:00', outside: 'hold' }, minGap: 'P1D' },
      success: { status: 200, description: 'The policy now', schema: Policy },
      async handler({ body, caller, requestId, now, answerAs }) {
        let woken: string[] = []
        const answer = await answerAs(async (tx) => {
          const changed = await changePolicy(tx, body, { actor: `key:${caller.keyId}`, now })
          woken = await wakeSequences(tx, null, { requestId, now })
          return { body: policyAnswer(changed) }
        })
        for (const workflowId of woken) handover.begin(workflowId)
        return answer
      },
    }),

    ...(['pause', 'resume'] as const).map((action) =>
      route({
        method: 'post',
        path: `/policy/${action}`,
        permission: 'policy:write',
        tag,
        ...controls[action],
        success: { status: 200, description: 'The policy now', schema: Policy },
        async handler({ caller, requestId, now, answerAs }) {
          let woken: string[] = []
          const answer = await answerAs(async (tx) => {
            const change = { actor: `key:${caller.keyId}`, now }
            const changed = await pauseOrganisation(tx, action === 'pause', change)
            if (action === 'resume') woken = await wakeSequences(tx, null, { requestId, now })
            return { body: policyAnswer(changed) }
          })
          for (const workflowId of woken) handover.begin(workflowId)
          return answer
        },
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
