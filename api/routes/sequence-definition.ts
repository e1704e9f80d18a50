import type { Tx } from '../../db/client.ts'
import { findSequenceSender, lockSequenceSender, type SequenceSender } from '../../db/sequences.ts'
import type { SequenceDefinition, SequenceStatus } from '../../workflows/contracts/sequences.ts'
import { checkTemplate } from '../../workflows/rules/templates.ts'
import { type InputError, invalidInput, Problem } from '../problem.ts'

/** Throws invalid_input for a sender that cannot send its messages, and for templates that nobody could be written to by. */
export async function checkDefinition(tx: Tx, definition: SequenceDefinition): Promise<void> {
  const errors = templateErrors(definition)
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

function templateErrors({ steps }: SequenceDefinition): InputError[] {
  return steps.flatMap((step, index) => {
    if (step.type !== 'message') return []
    return (['subject', 'text', 'html'] as const).flatMap((part) =>
      checkTemplate(step[part] ?? '').map(({ line, detail }) => ({
        pointer: `/definition/steps/${index}/${part}`,
        detail: `Line ${line}: ${detail}`,
      })),
    )
  })
}
