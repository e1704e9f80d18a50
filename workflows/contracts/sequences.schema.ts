import { z } from 'zod'
import { Duration, durationAbove } from './durations.schema.ts'
import { EventType } from './event-types.schema.ts'
import { TimeOfDay } from './sending.schema.ts'
import { purposes } from './sending.ts'
import {
  type SequenceDefinition as Definition,
  type EventWait,
  endOfSequence,
  exitTriggers,
  type LocalMoment,
  mostDefinitionBytes,
  mostSteps,
  type PersonCondition,
  type Step,
} from './sequences.ts'

const mostChoices = 10
/** From a message's claim to its call: what has expired by then is not sent. */
const mostSecondsToCall = 10

const Key = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'Give a key of small letters, digits and -, at most 63 of them.')
  .refine((key) => key !== endOfSequence, `"${endOfSequence}" is where a sequence ends: give the step another key.`)
  .meta({ description: 'Names the step for ever, across versions', example: 'first-mail' })

const Target = z
  .string()
  .max(63)
  .meta({ description: `The key of a later step, or \`${endOfSequence}\``, example: endOfSequence })
const Next = Target.optional().meta({
  description: `Where it goes on: the key of a later step, or \`${endOfSequence}\`; default the step that stands behind it`,
})

const MessageStep = z.strictObject({
  key: Key,
  type: z.literal('message'),
  channel: z.literal('email'),
  subject: z.string().trim().min(1).max(500).meta({ example: 'A question, {{ contact.properties.firstName }}' }),
  text: z.string().min(1).max(50_000).meta({
    description: 'Liquid over `contact`, `sender` and `unsubscribeUrl`; every variable must be known',
  }),
  html: z.string().min(1).max(200_000).optional(),
  expiresAfter: durationAbove(mostSecondsToCall).optional().meta({
    description:
      'How long after the step was come to the message is still worth sending; more than the 10 seconds that sending may take',
  }),
  next: Next,
})

const LocalMoment: z.ZodType<LocalMoment> = z
  .strictObject({
    weekdays: z
      .array(z.int().min(1).max(7))
      .min(1)
      .max(7)
      .refine(isDistinct, 'Name each day once.')
      .optional()
      .meta({ description: '1 Monday to 7 Sunday; default every day', example: [1, 2, 3, 4, 5] }),
    at: TimeOfDay.optional().meta({ description: 'Default midnight' }),
  })
  .refine(hasSome('weekdays', 'at'), 'Give weekdays, at or both.')
  .meta({
    id: 'LocalMoment',
    description:
      "The first such time after the step was come to, by the person's clocks; one that they leap over is the next that they show",
  })

const EventWait: z.ZodType<EventWait> = z
  .strictObject({
    firstOf: z
      .array(z.strictObject({ type: EventType, next: Next }))
      .min(1)
      .max(mostChoices)
      .refine((events) => isDistinct(events.map(({ type }) => type)), 'Name each event once.'),
    timeout: Duration.optional().meta({ description: 'Without it, only one of the events ends the wait' }),
    onTimeout: Target.optional().meta({ description: 'Where it goes on after that; default as `next` of the step' }),
  })
  .refine(
    ({ timeout, onTimeout }) => onTimeout === undefined || timeout !== undefined,
    'Where there is no timeout, nothing goes on after it: give timeout, or leave onTimeout out.',
  )
  .meta({
    id: 'EventWait',
    description: 'Until the first of these events; one since the journey began that has happened already is no wait',
  })

const ends = ['for', 'until', 'event'] as const
const WaitStep = z
  .strictObject({
    key: Key,
    type: z.literal('wait'),
    for: Duration.optional().meta({
      description: 'A day is 24 hours, whatever clocks do; for the same time of day take `until`',
    }),
    until: LocalMoment.optional(),
    event: EventWait.optional(),
    next: Next,
  })
  .refine(
    (step) => ends.filter((name) => step[name] !== undefined).length === 1,
    'A wait takes exactly one of for, until and event.',
  )

const known = z.string().max(500)
const property = z.string().min(1).max(100).meta({ example: 'plan' })
const limit = z.number().optional()
const PersonCondition: z.ZodType<PersonCondition> = z
  .union(
    [
      z.strictObject({ property, exists: z.boolean() }),
      z.strictObject({ property, is: z.union([known, z.number(), z.boolean()]) }),
      z.strictObject({
        property,
        in: z
          .array(z.union([known, z.number()]))
          .min(1)
          .max(50),
      }),
      z
        .strictObject({ property, atLeast: limit, atMost: limit })
        .refine(
          hasSome('atLeast', 'atMost'),
          'Say what must be known of the property: exists, is, in, atLeast or atMost.',
        )
        .refine(
          ({ atLeast = -Infinity, atMost = Infinity }) => atLeast <= atMost,
          'No number is at least the one and at most the other.',
        ),
      z.strictObject({ event: EventType, happened: z.boolean() }),
    ],
    {
      error: 'Give a property with one of exists, is, in, or atLeast and atMost; or an event with happened.',
    },
  )
  .meta({
    id: 'PersonCondition',
    description:
      'What must be known of a person; an event counts since the journey began. Of what is not known, nothing holds but that it does not exist',
  })

const BranchStep = z.strictObject({
  key: Key,
  type: z.literal('branch'),
  arms: z
    .array(z.strictObject({ when: z.array(PersonCondition).min(1).max(mostChoices), next: Target }))
    .min(1)
    .max(mostChoices)
    .meta({ description: 'The first of which all conditions hold decides' }),
  else: Target,
})

const ExitStep = z.strictObject({ key: Key, type: z.literal('exit') })

const Step: z.ZodType<Step> = z
  .discriminatedUnion('type', [MessageStep, WaitStep, BranchStep, ExitStep], {
    error: (issue) => (issue.code === 'invalid_union' ? 'Give a type: message, wait, branch or exit.' : undefined),
  })
  .meta({ id: 'SequenceStep' })

/** What a user asks for. Templates are read by the route, which says what is wrong with each. */
export const SequenceDefinition = z
  .strictObject({
    purpose: z.enum(purposes).meta({
      description: '`transactional`: about what somebody has asked or pays for; neither window nor gap holds it back',
    }),
    senderId: z.uuid(),
    entry: z
      .enum(['once', 'again'])
      .default('once')
      .meta({ description: 'Whether somebody who was through may enter again; never while under way' }),
    exitOn: z
      .array(z.enum(exitTriggers))
      .max(exitTriggers.length)
      .refine(isDistinct, 'Name each trigger once.')
      .default([...exitTriggers])
      .meta({ description: 'What ends a journey early, wherever it stands. An opt-out always does' }),
    goal: EventType.nullable()
      .default(null)
      .meta({ description: 'The event by which a person has done what the sequence is for' }),
    steps: z.array(Step).min(1).max(mostSteps),
  })
  .refine(
    (definition) => Buffer.byteLength(JSON.stringify(definition)) <= mostDefinitionBytes,
    `A definition takes at most ${mostDefinitionBytes} bytes as JSON: shorten its templates.`,
  )
  .superRefine(({ steps }, context) => {
    for (const { path, message } of misdirections(steps)) context.addIssue({ code: 'custom', path, message })
  })
  .meta({ id: 'SequenceDefinition' }) satisfies z.ZodType<Definition>

interface Misdirection {
  path: (string | number)[]
  message: string
}

/** Keys that are taken twice, and targets that are not behind their steps. */
function misdirections(steps: readonly Step[]): Misdirection[] {
  const places = new Map<string, number>()
  for (const [index, { key }] of steps.entries()) if (!places.has(key)) places.set(key, index)
  return steps.flatMap((step, index) => {
    const wrong: Misdirection[] = targetsOf(step)
      .filter(({ to }) => to !== endOfSequence && (places.get(to) ?? -1) <= index)
      .map(({ to, path }) => ({
        path: ['steps', index, ...path],
        message: places.has(to)
          ? `"${to}" does not stand behind "${step.key}": a sequence only goes forward. Give a later step or "${endOfSequence}".`
          : `No step has the key "${to}": give that of a later step or "${endOfSequence}".`,
      }))
    if (places.get(step.key) === index) return wrong
    return [{ path: ['steps', index, 'key'], message: `Two steps have the key "${step.key}".` }, ...wrong]
  })
}

/** The keys that a step names, and where in it they stand. */
function targetsOf(step: Step): { to: string; path: (string | number)[] }[] {
  const named: { to: string | undefined; path: (string | number)[] }[] = []
  if ('next' in step) named.push({ to: step.next, path: ['next'] })
  if (step.type === 'branch') {
    named.push(...step.arms.map(({ next }, index) => ({ to: next, path: ['arms', index, 'next'] })))
    named.push({ to: step.else, path: ['else'] })
  }
  if (step.type === 'wait' && step.event !== undefined) {
    const { firstOf, onTimeout } = step.event
    named.push(...firstOf.map(({ next }, index) => ({ to: next, path: ['event', 'firstOf', index, 'next'] })))
    named.push({ to: onTimeout, path: ['event', 'onTimeout'] })
  }
  return named.flatMap(({ to, path }) => (to === undefined ? [] : [{ to, path }]))
}

function isDistinct(values: readonly (string | number)[]): boolean {
  return new Set(values).size === values.length
}

function hasSome(...names: string[]) {
  return (given: Readonly<Record<string, unknown>>) => names.some((name) => given[name] !== undefined)
}
