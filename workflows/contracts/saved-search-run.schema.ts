import { z } from 'zod'

/** What a user asks for. Cron line, durations and time zone are read by the route, which says what is wrong with each. */
export const NewSchedule = z
  .strictObject({
    cron: z.string().max(200).optional().meta({
      description: 'Five fields: minute, hour, day of the month, month, day of the week',
      example: '0 6 * * 1',
    }),
    every: z
      .string()
      .max(50)
      .optional()
      .meta({ description: 'Instead of `cron`: an ISO 8601 duration of a minute to 366 days', example: 'P7D' }),
    timeZone: z.string().max(100).optional().meta({
      description:
        "Of the cron line, as IANA names it; default the organisation's. A time that the clock leaves out or shows twice on a day is left out or taken twice.",
      example: 'America/Chicago',
    }),
    overlap: z.enum(['skip', 'buffer_one', 'cancel_other']).default('skip').meta({
      description:
        'When a run is due while the one before is still under way, or parked. `skip`: it is left out; `buffer_one`: it follows right after; `cancel_other`: the other is cancelled. The campaign itself, which a person began, is none of its runs.',
    }),
    catchUp: z
      .string()
      .max(50)
      .default('P1D')
      .meta({ description: 'How late a run that was missed is still made up for, as an ISO 8601 duration' }),
    startAt: z.iso.datetime({ offset: true }).optional().meta({
      description:
        'No run before; at most 366 days from now. With `every`, the first run: default one interval from now',
    }),
  })
  .meta({ id: 'NewSchedule' })
export type NewSchedule = z.infer<typeof NewSchedule>
