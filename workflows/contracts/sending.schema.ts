import { z } from 'zod'
import { durationUpTo } from './durations.schema.ts'
import { channels, type SendingPolicy as Policy } from './sending.ts'

/** A local time. */
export const TimeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'Give a time of day as HH:MM, from 00:00 to 23:59.')
  .meta({ example: '08:00' })

const Window = z
  .strictObject({
    from: TimeOfDay,
    to: TimeOfDay.meta({ description: 'Exclusive. Before `from`: on the next day; the same as `from`: the whole day' }),
    outside: z.enum(['hold', 'skip']).default('hold').meta({
      description: 'What becomes of a marketing message outside of it: `hold`, it waits; `skip`, it is left out',
    }),
  })
  .meta({
    id: 'SendWindow',
    description:
      'When marketing may arrive, in local time of the recipient; whoever may be in several time zones is written to when it is open in all',
  })

/** When an organisation writes to people. */
export const SendingPolicy = z.strictObject({
  window: Window,
  minGap: durationUpTo(90).meta({
    description: 'Between two marketing messages to one person, over all sequences; at most 90 days',
    example: 'P1D',
  }),
  consentRequired: z
    .array(z.enum(channels))
    .max(channels.length)
    .refine((wanted) => new Set(wanted).size === wanted.length, 'Name each channel once.')
    .meta({
      description:
        'The channels on which marketing needs a recorded consent; elsewhere it is enough that none was withdrawn',
    }),
  unconfirmedAfter: durationUpTo(30).meta({
    description:
      'After how long a journey goes on as if a message had been sent whose outcome nobody knows; at most 30 days',
    example: 'PT1H',
  }),
}) satisfies z.ZodType<Policy>

const { window, minGap, consentRequired, unconfirmedAfter } = SendingPolicy.shape

/** What a user changes of the policy; what is left out stays as it is. */
export const SendingPolicyChange = z
  .strictObject({
    window: window.exactOptional(),
    minGap: minGap.exactOptional(),
    consentRequired: consentRequired.exactOptional(),
    unconfirmedAfter: unconfirmedAfter.exactOptional(),
  })
  .meta({ id: 'SendingPolicyChange' }) satisfies z.ZodType<Partial<Policy>>
