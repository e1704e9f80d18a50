import { z } from 'zod'
import type { ProspectFilter } from '../../db/prospects.ts'
import { bookingNames, cmsNames, trackingNames } from '../../workflows/contracts/detections.ts'
import { invalidInput } from '../problem.ts'

const none = '`none`: the site was read and shows none'

/** Which of a campaign's prospects are wanted. */
export const ProspectFilters = z.strictObject({
  minScore: z
    .string()
    .regex(/^(?:\d{1,2}|100)$/, 'Give a whole number from 0 to 100.')
    .transform(Number)
    .optional()
    .meta({
      description: 'Only those with at least this score',
      override: ({ jsonSchema }) => {
        delete jsonSchema.pattern
        Object.assign(jsonSchema, { type: 'integer', minimum: 0, maximum: 100 })
      },
    }),
  cms: oneOf([...cmsNames, 'none'], `What the site is made with. ${none}`),
  booking: oneOf([...bookingNames, 'any', 'none'], `Where appointments are made. ${none}`),
  tracking: oneOf([...trackingNames, 'any', 'none'], `What counts the site's visitors. ${none}`),
  runsAds: yesOrNo("Whether one of the campaign's searches showed it as an ad"),
  hasEmail: yesOrNo('Whether its site gives an e-mail address; no for a site that was not read'),
  change: oneOf(['new', 'changed', 'same'], "Against your organisation's last look at the business, by any campaign"),
  new: z.literal('true', 'Give true, or leave it out.').optional().meta({ description: 'Short for `change=new`' }),
})

export function filterOf({ new: isNew, change, ...filter }: z.output<typeof ProspectFilters>): ProspectFilter {
  if (isNew === undefined) return { ...filter, change }
  if (change === undefined) return { ...filter, change: 'new' }
  throw invalidInput([{ pointer: '/query/new', detail: 'Give either new or change, not both.' }])
}

function oneOf<const Name extends string>(names: readonly [Name, ...Name[]], description: string) {
  return z
    .enum(names, `Give one of: ${names.join(', ')}.`)
    .optional()
    .meta({ description })
}

function yesOrNo(description: string) {
  return z
    .enum(['true', 'false'], 'Give true or false.')
    .transform((answer) => answer === 'true')
    .optional()
    .meta({ description })
}
