import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { Tx } from '../../db/client.ts'
import { isSuppressed, type Reach } from '../../db/reach.ts'
import {
  type PreviewedPerson,
  type PreviewGround,
  previewedContact,
  previewedStranger,
  previewGround,
} from '../../db/sequence-previews.ts'
import { findSequence, findSequenceSender, findSequenceVersion, type SequenceSender } from '../../db/sequences.ts'
import { SequenceDefinition } from '../../workflows/contracts/sequences.schema.ts'
import type { SequenceDefinition as Definition, SequenceStatus } from '../../workflows/contracts/sequences.ts'
import { isTimeZone } from '../../workflows/rules/clocks.ts'
import { dayMs } from '../../workflows/rules/durations.ts'
import { type PlanEntry, planJourney } from '../../workflows/rules/journey-plan.ts'
import { renderEmail } from '../../workflows/rules/rendering.ts'
import type { RenderBudget } from '../../workflows/rules/templates.ts'
import { possibleZones } from '../../workflows/rules/zones.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { SequenceParams } from './sequence-answers.ts'
import { checkDefinition, newRenderBudget, tooSlow } from './sequence-definition.ts'

const previewBodyLimit = 2_000_000
const mostYearsOff = 10

const Stranger = z
  .strictObject({
    externalId: z.string().min(1).max(200).nullable().default(null),
    email: z.email().max(320).nullable().default(null),
    phone: z
      .string()
      .regex(/^\+[1-9]\d{6,14}$/, 'Give a number in E.164, such as +15125550100.')
      .nullable()
      .default(null),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'Give an ISO 3166-1 code such as US.')
      .nullable()
      .default(null),
    timeZone: z
      .string()
      .max(100)
      .refine(isTimeZone, 'Give a time zone such as America/Chicago.')
      .nullable()
      .default(null),
    language: z.string().max(35).nullable().default(null),
    properties: z.record(z.string(), z.unknown()).default({}),
  })
  .meta({ id: 'PreviewedContact' })

const Previewed = z
  .strictObject({
    contactId: z.uuid().toLowerCase().optional(),
    contact: Stranger.optional().meta({ description: 'Somebody who need not exist' }),
    definition: SequenceDefinition.optional().meta({
      description: 'To try before it is saved; default the newest version',
    }),
    at: z.iso.datetime({ offset: true }).optional().meta({ description: 'When they would enter; default now' }),
  })
  .refine(
    ({ contactId, contact }) => (contactId === undefined) !== (contact === undefined),
    'Give either contactId or contact.',
  )
  .meta({ id: 'SequencePreviewRequest' })

const PlannedStep = z
  .strictObject({
    stepKey: z.string().nullable().meta({ description: 'Null for the end behind the last step' }),
    type: z.string().nullable(),
    at: z.iso.datetime(),
    what: z.enum(['send', 'skip', 'wait', 'branch', 'exit', 'end', 'hold']).meta({
      description: '`hold`: the person stays there until somebody mends what `reason` names',
    }),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why a message waits, is left out or held, or how the journey ends' }),
    until: z.iso.datetime().nullable().meta({ description: 'Of a wait; null where only an event ends it' }),
    zone: z.string().nullable().meta({ description: 'Whose clocks a message waits for' }),
    message: z.strictObject({ subject: z.string(), text: z.string(), html: z.string() }).nullable(),
    fault: z
      .strictObject({
        missing: z.array(z.string()).meta({ description: 'The variables that are not known' }),
        detail: z.string().meta({ description: 'What is wrong, and where' }),
      })
      .nullable(),
  })
  .meta({ id: 'PlannedStep' })

const pausable = ['organisation', 'sequence', 'sender'] as const

const SequencePreview = z
  .strictObject({
    version: z.int().min(1).nullable().meta({ description: 'Null for a definition that is not saved' }),
    zones: z.array(z.string()).meta({ description: 'The time zones that the person may be in' }),
    pausedBy: z
      .enum(pausable)
      .nullable()
      .meta({ description: 'What stands still just now: until it is resumed, nothing of the plan is sent' }),
    plan: z.array(PlannedStep),
  })
  .meta({ id: 'SequencePreview' })

export function sequencePreviewRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/sequences/{id}/preview',
      permission: 'contacts:read',
      tag: 'Sequences',
      summary: 'Preview a sequence for a person',
      description: `What it would do with them and when, by the very rules that decide on the way, with each message as they would get it. It assumes that
nothing more is heard of them: waits for an event run to their time-out. Nothing is stored or sent.`,
      params: SequenceParams,
      body: Previewed,
      example: { contact: { email: 'someone@example.com', country: 'US', properties: { firstName: 'Sam' } } },
      bodyLimit: previewBodyLimit,
      problems: ['not_found', 'not_allowed_now'],
      success: { status: 200, description: 'The plan', schema: SequencePreview },
      async handler({ params: { id }, body, caller, now, as }) {
        const budget = newRenderBudget()
        const { version, zones, pausedBy, ...journey } = await as(async (tx) => {
          const { status } = found(await findSequence(tx, id), 'sequence')
          const { definition, version: shown } = await previewedDefinition(tx, id, body.definition, budget)
          const sender = await findSequenceSender(tx, definition.senderId)
          if (!sender) throw new Problem('not_allowed_now', 'Its sender is missing.')
          const person = await previewedPerson(tx, caller.organisationId, body)
          const ground = await previewGround(tx)
          const at = entryTime(body.at, now)
          const halted = whatIsPaused(ground, status, sender)
          return {
            version: shown,
            pausedBy: halted,
            definition,
            sender,
            person,
            ...planOf(definition, person, ground, at),
          }
        })
        // With no transaction open: this may take a while.
        return { body: { version, zones: [...zones], pausedBy, plan: await rendered(journey, budget) } }
      },
    }),
  ]
}

function whatIsPaused(
  ground: PreviewGround,
  status: SequenceStatus,
  sender: SequenceSender,
): (typeof pausable)[number] | null {
  if (ground.isPaused) return 'organisation'
  if (status === 'paused') return 'sequence'
  return sender.isPaused ? 'sender' : null
}

/** Plans run for years, and times end with the year 9999. */
function entryTime(at: string | undefined, now: Date): Date {
  const time = at === undefined ? now : new Date(at)
  if (Math.abs(time.getTime() - now.getTime()) <= mostYearsOff * 366 * dayMs) return time
  throw invalidInput([{ pointer: '/at', detail: `Give a time within ${mostYearsOff} years of now.` }])
}

function planOf(
  definition: Definition,
  person: PreviewedPerson & Reach,
  { policy, ...organisation }: PreviewGround,
  at: Date,
): { zones: readonly string[]; plan: PlanEntry[] } {
  const zones = possibleZones(person, organisation)
  const recipient = { ...person, address: person.email, zones, isSuppressed: isSuppressed(person, definition.purpose) }
  const facts = { properties: person.properties, events: new Set<string>() }
  return { zones, plan: planJourney(definition, { ...recipient, facts }, policy, at) }
}

async function previewedDefinition(
  tx: Tx,
  id: string,
  unsaved: Definition | undefined,
  budget: RenderBudget,
): Promise<{ definition: Definition; version: number | null }> {
  const { version } = found(await findSequence(tx, id), 'sequence')
  if (unsaved === undefined) return found(await findSequenceVersion(tx, id, version), 'version')
  await checkDefinition(tx, unsaved, budget)
  return { definition: unsaved, version: null }
}

async function previewedPerson(
  tx: Tx,
  organisationId: string,
  { contactId, contact }: z.output<typeof Previewed>,
): Promise<PreviewedPerson & Reach> {
  if (contact) return { ...contact, ...(await previewedStranger(tx, organisationId, contact.email)) }
  return found(contactId === undefined ? null : await previewedContact(tx, contactId), 'contact')
}

/** A preview is nobody's message: its link leads nowhere. */
const unsubscribeUrl = 'https://unsubscribe.invalid/preview'

interface PreviewedJourney {
  plan: readonly PlanEntry[]
  definition: Definition
  sender: SequenceSender
  person: PreviewedPerson
}

/**
 * The plan with its messages, other requests being served between them. One with a hole is held, as on the way, so that nothing is known of
 * what comes after.
 */
async function rendered(
  { plan, definition, sender, person: contact }: PreviewedJourney,
  budget: RenderBudget,
): Promise<z.input<typeof SequencePreview>['plan']> {
  const entries: z.input<typeof SequencePreview>['plan'] = []
  for (const { at, until, zone, ...entry } of plan) {
    const times = { at: at.toISOString(), until: until?.toISOString() ?? null, zone: zone ?? null }
    const step = definition.steps.find(({ key }) => key === entry.stepKey)
    if (entry.what !== 'send' || step?.type !== 'message') {
      entries.push({ ...entry, ...times, message: null, fault: null })
      continue
    }
    const result = renderEmail(step, sender, { contact, unsubscribeUrl }, definition.purpose, budget)
    await setImmediate()
    if (!result.ok) {
      if (result.isOutOfBudget) throw invalidInput([{ pointer: '/definition/steps', detail: tooSlow }])
      const { missing, detail } = result
      const held = { what: 'hold', reason: 'missing_variable', message: null, fault: { missing, detail } } as const
      entries.push({ ...entry, ...times, ...held })
      break
    }
    entries.push({ ...entry, ...times, message: result.email, fault: null })
  }
  return entries
}
