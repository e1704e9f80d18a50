import { z } from 'zod'
import { bookingNames, cmsNames, siteFailureCodes, socialNetworks, trackingNames } from './detections.ts'
import { booleanFields, type Condition, numberFields, type ScoringRule, siteStates } from './scoring-rules.ts'

const mostNames = 50

const choiceFields = ['cms', 'language', 'failure', 'httpStatus'] as const
const listFields = ['booking', 'tracking', 'socials'] as const
const fields = ['site', ...booleanFields, ...choiceFields, ...listFields, ...numberFields]

/** Conditions on these fields, with these operators and no others. */
function on<Field extends string, Operators extends z.ZodRawShape>(names: readonly Field[], operators: Operators) {
  const detail = `A condition on ${names.join(', ')} takes ${Object.keys(operators).join(', ')} and nothing else.`
  return z.strictObject(
    { field: z.enum(names), ...operators },
    { error: (issue) => (issue.code === 'unrecognized_keys' ? detail : undefined) },
  )
}

function among<Value extends z.ZodType>(value: Value) {
  const values = z.array(value).min(1).max(mostNames).optional()
  return { in: values, notIn: values }
}

const hasOne =
  (...operators: string[]) =>
  (condition: Readonly<Record<string, unknown>>) =>
    operators.some((operator) => condition[operator] !== undefined)
const givesNames = [hasOne('in', 'notIn'), 'Give in, notIn or both.'] as const

const languageTag = z
  .string()
  .max(35)
  .refine((tag) => tag === 'none' || isLanguageTag(tag), 'Give a language such as en or de-AT, or none.')

function isLanguageTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

const amount = z.int().min(0).max(1_000_000).optional()
const NumberCondition = on(numberFields, { atLeast: amount, atMost: amount })
  .refine(hasOne('atLeast', 'atMost'), 'Give atLeast, atMost or both.')
  .refine(
    ({ atLeast = 0, atMost = Infinity }) => atLeast <= atMost,
    'No number is at least the one and at most the other.',
  )

const Condition: z.ZodType<Condition> = z
  .discriminatedUnion(
    'field',
    [
      on(['site'], { is: z.enum(siteStates) }),
      on(booleanFields, { is: z.boolean() }),
      on(['cms'], among(z.enum([...cmsNames, 'none']))).refine(...givesNames),
      on(['language'], among(languageTag)).refine(...givesNames),
      on(['failure'], among(z.enum(siteFailureCodes))).refine(...givesNames),
      on(['httpStatus'], among(z.int().min(100).max(599))).refine(...givesNames),
      on(['booking'], { has: z.enum([...bookingNames, 'any', 'none']) }),
      on(['tracking'], { has: z.enum([...trackingNames, 'any', 'none']) }),
      on(['socials'], { has: z.enum([...socialNetworks, 'any', 'none']) }),
      NumberCondition,
    ],
    {
      error: (issue) =>
        issue.code === 'invalid_union' ? `There is no such field: give ${fields.join(', ')}.` : undefined,
    },
  )
  .meta({
    id: 'ScoringCondition',
    description: `What must be known of the business. It never holds of what is not known, such as the cms of a site that could not be read.

- \`site\`: \`none\` there is no website, \`failed\` it could not be read, for the reason \`failure\` and with the status \`httpStatus\`, \`read\`
- of a site that was read: \`https\`, \`viewport\` (fit for phones), \`hasTitle\`, \`cms\`, \`language\` (BCP 47: \`en\` is also \`en-US\`), \`booking\`, \`tracking\`,
  \`socials\`, \`copyrightYear\`, \`responseMs\` (until its home page began to answer)
- of the business: \`hasEmail\` and \`hasPhone\` (we know one), \`runsAds\`, \`sightings\` (how often the campaign was shown it)

\`none\` is the name for nothing seen, and \`has\` also takes \`any\`.`,
  })

const Rule: z.ZodType<ScoringRule> = z
  .strictObject({
    reason: z.string().trim().min(1).max(200).meta({ example: 'runs ads but has no booking system' }),
    points: z.int().min(-100).max(100).meta({ description: 'With 0, the reason is listed and the score stays' }),
    when: z.array(Condition).min(1).max(10).meta({ description: 'All must hold' }),
  })
  .meta({ id: 'ScoringRule' })

export const ScoringRules = z
  .array(Rule)
  .min(1)
  .max(100)
  .meta({ description: 'A score is the sum of the points of all rules that hold, from 0 to 100' })
