import { z } from 'zod'
import { CreditType } from './credits.schema.ts'
import { mostCredits } from './credits.ts'
import { durationUpTo, isLonger } from './durations.schema.ts'
import { type Plan as CataloguePlan, limitedActs, limitPeriods, planKinds, usualDunning, usualGrace } from './plans.ts'

const mostPrices = 20
const mostNotices = 20
const mostFeatures = 100
const mostMeters = 10
/** Of minor units: Stripe takes no more. */
const mostAmount = 99_999_999
/** As long as a trial can be at Stripe. */
const mostTrialDays = 730
const mostOverdueDays = 90

const currencies = new Set(Intl.supportedValuesOf('currency'))

const Key = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'Begin with a small letter, then small letters, digits and -.')

export const PlanKey = Key.meta({ description: 'Names the plan for ever, across versions', example: 'scout' })

export const Family = Key.meta({
  description: "Plans of one family take each other's place, and are of one kind",
  example: 'prospecting',
})

/** The name of a setting that can hold a price's id at Stripe. */
const PriceSetting = z
  .string()
  .max(100)
  .regex(/^STRIPE_PRICE_[A-Z0-9_]+$/, 'Give the name of a setting: STRIPE_PRICE_ and capitals, digits or underscores.')
  .meta({
    description: "The setting that holds the price's id at Stripe. No other plan may name it, nor have named it",
    example: 'STRIPE_PRICE_SCOUT',
  })

export const PlanMeter = z
  .strictObject({
    type: CreditType,
    event: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,100}$/, 'Give the event name of the meter: letters, digits, _, . and -, at most 100.')
      .meta({
        description: "The meter's `event_name` at Stripe. It sums up, in the type's smallest unit",
        example: 'call_seconds',
      }),
    setting: PriceSetting,
  })
  .meta({ id: 'PlanMeter' })

export const PlanPrice = z
  .strictObject({
    key: Key.meta({ description: 'Names the price among those of its plan', example: 'monthly' }),
    amount: z.int().min(0).max(mostAmount).meta({ description: 'In minor units of the currency', example: 9900 }),
    currency: z
      .string()
      .refine((code) => currencies.has(code), 'Give a currency by its three capitals (ISO 4217), such as USD.')
      .meta({ example: 'USD' }),
    every: z.enum(['P1M', 'P1Y']).nullable().meta({ description: 'Null: paid once', example: 'P1M' }),
    setting: PriceSetting,
    meters: z
      .array(PlanMeter)
      .min(1)
      .max(mostMeters)
      .exactOptional()
      .meta({
        description: `What is paid by use beside a subscription. Credits of the type are burned first; what they do not cover is invoiced when the period
ends, at the metered price that the setting names. A trial meters nothing`,
      }),
  })
  .meta({ id: 'PlanPrice' })

const IncludedCredits = z
  .strictObject({
    type: CreditType,
    amount: z.int().min(1).max(mostCredits).meta({
      description: 'Of a subscription for a month of it: who pays by the year gets twelve times as much with the year',
    }),
    rollsOver: z.int().min(0).max(mostCredits).default(0).meta({
      description: 'Of what is left when a period ends, so much goes on to the end of the next; for a month, too',
    }),
  })
  .refine(({ amount, rollsOver }) => rollsOver <= amount, {
    path: ['rollsOver'],
    error: 'No more can be left of credits than there were: give at most the amount.',
  })
  .meta({ id: 'IncludedCredits' })

const Limit = z
  .strictObject({
    act: z.enum(limitedActs),
    most: z.int().min(0).max(1_000_000_000),
    per: z.enum(limitPeriods).meta({
      description: '`period`: for a month of what is paid for. `day`: a calendar day. `total`: at any one time',
    }),
  })
  .meta({ id: 'PlanLimit' })

const Entitlements = z
  .strictObject({
    features: z.array(Key.meta({ example: 'sequences' })).max(mostFeatures),
    limits: z
      .array(Limit)
      .max(limitedActs.length * limitPeriods.length)
      .meta({ description: 'What is not listed has no limit' }),
  })
  .superRefine(({ features, limits }, context) => {
    refuse(context, [
      ...repeats(features).map(({ value, index }) => ({
        path: ['features', index],
        message: `The feature "${value}" is listed twice.`,
      })),
      ...repeats(limits.map(({ act, per }) => `${act} per ${per}`)).map(({ value, index }) => ({
        path: ['limits', index],
        message: `There are two limits of ${value}.`,
      })),
    ])
  })
  .meta({ id: 'Entitlements' })

const Overdue = durationUpTo(mostOverdueDays)

const DunningPolicy = z
  .strictObject({
    notices: z.array(Overdue).max(mostNotices).meta({
      description: 'When notices go out, after the payment has failed, the first perhaps at once (PT0S)',
      example: usualDunning.notices,
    }),
    givenUpAfter: Overdue.meta({ description: 'When it is given up, after the payment has failed', example: 'P28D' }),
  })
  .superRefine(({ notices, givenUpAfter }, context) => {
    for (const [index, notice] of notices.entries()) {
      const path = ['notices', index]
      if (index > 0 && !isLonger(notice, notices[index - 1] ?? '')) {
        refuse(context, [{ path, message: 'Each notice goes out later than the one before it.' }])
      }
      if (!isLonger(givenUpAfter, notice)) {
        refuse(context, [{ path, message: `It is given up after ${givenUpAfter}: give less.` }])
      }
    }
  })
  .meta({ id: 'DunningPolicy' })

const GracePolicy = z
  .strictObject({
    reducedAfter: Overdue.meta({ description: 'Access is whole until then, after the payment has failed' }),
    revokedAfter: Overdue.meta({ description: 'There is none from then on' }),
  })
  .refine(({ reducedAfter, revokedAfter }) => !isLonger(reducedAfter, revokedAfter), {
    path: ['reducedAfter'],
    error: 'By then there is no access left: give at most revokedAfter.',
  })
  .meta({ id: 'GracePolicy' })

/** A plan by itself. What cannot be beside other plans, `clashes` says (catalogue.schema.ts). */
export const Plan = z
  .strictObject({
    key: PlanKey,
    name: z.string().trim().min(1).max(200).meta({ example: 'Scout' }),
    kind: z.enum(planKinds),
    family: Family,
    rank: z.int().min(0).max(1_000_000).meta({ description: 'The higher is the bigger plan of its family' }),
    prices: z.array(PlanPrice).min(1).max(mostPrices),
    trial: durationUpTo(mostTrialDays)
      .refine((trial) => isLonger(trial, 'PT0S'), 'Give null for no trial.')
      .nullable()
      .default(null)
      .meta({ description: 'Before the first payment; null: none', example: 'P14D' }),
    credits: z
      .array(IncludedCredits)
      .max(20)
      .default([])
      .meta({ description: 'Granted with each period, or with the purchase' }),
    entitlements: Entitlements.default({ features: [], limits: [] }),
    dunning: DunningPolicy.default(usualDunning).meta({ description: 'What is done about a payment that fails' }),
    grace: GracePolicy.default(usualGrace).meta({ description: 'What is left of the access while it is overdue' }),
  })
  .superRefine((plan, context) => {
    refuse(context, [
      ...taken('prices', 'key', plan.prices),
      ...settingsTaken(plan.prices),
      ...plan.prices.flatMap(({ meters = [] }, index) =>
        taken('meters', 'type', meters).map((fault) => ({ ...fault, path: ['prices', index, ...fault.path] })),
      ),
      ...taken('credits', 'type', plan.credits),
      ...(plan.kind === 'subscription' ? unfitToRecur(plan) : unfitToBuyOnce(plan)),
    ])
  })
  .meta({ id: 'Plan' }) satisfies z.ZodType<CataloguePlan>

function taken<Field extends string>(list: string, field: Field, items: readonly Record<Field, string>[]): Fault[] {
  return repeats(items.map((item) => item[field])).map(({ value, index }) => ({
    path: [list, index, field],
    message: `"${value}" is taken: each of the ${list} has a ${field} of its own.`,
  }))
}

/** At its price or its meter; each is an item of its own at Stripe. */
function settingsTaken(prices: CataloguePlan['prices']): Fault[] {
  const places = prices.flatMap(({ setting, meters = [] }, index) => [
    { setting, path: ['prices', index, 'setting'] },
    ...meters.map((meter, place) => ({ ...meter, path: ['prices', index, 'meters', place, 'setting'] })),
  ])
  return repeats(places.map(({ setting }) => setting)).map(({ value, index }) => ({
    path: places[index]?.path ?? [],
    message: `"${value}" is taken: each of the prices has a setting of its own.`,
  }))
}

function unfitToRecur({ prices }: CataloguePlan): Fault[] {
  return prices.flatMap(({ every }, index) =>
    every === null ? [{ path: ['prices', index, 'every'], message: 'A subscription is paid every P1M or P1Y.' }] : [],
  )
}

function unfitToBuyOnce({ kind, prices, trial, credits }: CataloguePlan): Fault[] {
  const faults: Fault[] = []
  for (const [index, { every, meters }] of prices.entries()) {
    if (meters)
      faults.push({ path: ['prices', index, 'meters'], message: 'Only a subscription is metered: leave it out.' })
    if (every !== null) faults.push({ path: ['prices', index, 'every'], message: 'It is paid once: give null.' })
  }
  for (const [index, { rollsOver }] of credits.entries()) {
    if (rollsOver === 0) continue
    const message = 'What is bought once has no period that it could outlast: give 0.'
    faults.push({ path: ['credits', index, 'rollsOver'], message })
  }
  if (trial !== null) faults.push({ path: ['trial'], message: 'Only a subscription has a trial: give null.' })
  if (kind === 'credit_pack' && credits.length === 0) {
    faults.push({ path: ['credits'], message: 'A pack of credits has some.' })
  }
  return faults
}

export interface Fault {
  path: (string | number)[]
  message: string
}

/** The values that were there before, each with its place. */
export function repeats(values: readonly string[]): { value: string; index: number }[] {
  return values.flatMap((value, index) => (values.indexOf(value) === index ? [] : [{ value, index }]))
}

export function refuse(context: z.RefinementCtx, faults: readonly Fault[]): void {
  for (const { path, message } of faults) context.addIssue({ code: 'custom', path, message })
}
