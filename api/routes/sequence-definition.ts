import { setImmediate } from 'node:timers/promises'
import type { Tx } from '../../db/client.ts'
import { findSequenceSender, lockSequenceSender, type SequenceSender } from '../../db/sequences.ts'
import type { SequenceDefinition, SequenceStatus } from '../../workflows/contracts/sequences.ts'
import { checkTemplate, type RenderBudget } from '../../workflows/rules/templates.ts'
import { type InputError, invalidInput, Problem } from '../problem.ts'

/** What one request may spend on templates, so that others are answered meanwhile. */
export const newRenderBudget = (): RenderBudget => ({ leftMs: 2_000 })
export const tooSlow =
  'Its messages take more than 2 seconds to render in all: their loops, or they themselves, are too long.'

/** Throws invalid_input for a sender that cannot send its messages, and for templates that nobody could be written to by. */
export async function checkDefinition(
  tx: Tx,
  definition: SequenceDefinition,
  budget: RenderBudget = newRenderBudget(),
): Promise<void> {
  const errors = await templateErrors(definition, budget)
  const sender = await findSequenceSender(tx, definition.senderId)
  const pointer = '/definition/senderId'
  if (!sender) errors.push({ pointer, detail: 'There is no such sender.' })
  else if (sender.channel !== 'email')
    errors.push({ pointer, detail: `This sender is for ${sender.channel}, not email.` })
  if (errors.length > 0) throw invalidInput(errors)
}

/** Throws not_allowed_now where people may enter but nothing could be sent to them, which only another sender or its settings can mend. */
export async function checkSender(tx: Tx, definition: SequenceDefinition): Promise<SequenceSender> {
  const sender = await lockSequenceSender(tx, definition.senderId)
  if (!sender) throw new Problem('not_allowed_now', 'Its sender is missing.')
  if (definition.purpose === 'marketing' && sender.postalAddress === null) {
    throw new Problem('not_allowed_now', 'Its sender has no postal address, which marketing e-mails must show.')
  }
  return sender
}

/** Whether people are, or may be, on their way by it. */
export function isInUse(status: SequenceStatus): boolean {
  return status === 'live' || status === 'paused'
}

async function templateErrors({ steps }: SequenceDefinition, budget: RenderBudget): Promise<InputError[]> {
  const errors: InputError[] = []
  for (const [index, step] of steps.entries()) {
    if (step.type !== 'message') continue
    for (const part of ['subject', 'text', 'html'] as const) {
      const faults = checkTemplate(step[part] ?? '', budget)
      const pointer = `/definition/steps/${index}/${part}`
      errors.push(...faults.map(({ line, detail }) => ({ pointer, detail: `Line ${line}: ${detail}` })))
    }
    if (budget.leftMs <= 0) return [...errors, { pointer: '/definition/steps', detail: tooSlow }]
    await setImmediate()
  }
  return errors
}
