import type { BatchMember } from '../../db/messages.ts'
import type { CohortRef } from '../../workflows/contracts/drip-sequence.ts'
import { unsubscribeToken } from '../../workflows/contracts/unsubscribe.ts'
import { renderEmail } from '../../workflows/rules/rendering.ts'
import type { RenderBudget } from '../../workflows/rules/templates.ts'
import { idTags, type RenderedEmail } from '../ports.ts'
import type { SendTurn } from './turns.ts'

/** A message that may go, complete. */
export interface Candidate {
  turn: SendTurn
  member: BatchMember
}

/**
 * The message of somebody's turn as it will leave; `missing` names the variables without which it would have a hole. `late`: the budget is used
 * up, and it is to be rendered another time.
 */
export function outgoing(
  turn: SendTurn,
  cohort: CohortRef,
  { publicUrl, budget }: { publicUrl: string; budget: RenderBudget },
): Candidate | { missing: string } | 'late' {
  const { traveller, step, sender, definition, planned } = turn
  const { email, emailHash, externalId, phone, language, properties } = traveller
  if (email === null || emailHash === null) throw new Error('nobody without an address is written to')
  const id = planned ?? traveller.messageId
  const unsubscribeUrl = `${publicUrl}/u/${unsubscribeToken(id)}`
  const contact = { externalId, email, phone, language, properties }
  const content = renderEmail(step, sender, { contact, unsubscribeUrl }, definition.purpose, budget)
  if (!content.ok && content.isOutOfBudget) return 'late'
  if (!content.ok) return { missing: content.missing.join(', ') || content.detail }
  const rendered: RenderedEmail = {
    from: mailbox(sender),
    to: email,
    replyTo: sender.replyTo,
    ...content.email,
    headers: definition.purpose === 'marketing' ? oneClick(unsubscribeUrl) : {},
    tags: { [idTags.organisation]: cohort.organisationId, [idTags.message]: id },
  }
  return { turn, member: { id, ...messageRow(turn, cohort), addressHash: emailHash, rendered } }
}

/** What every row of `messages` for a step of a journey says. */
export function messageRow(
  { traveller, definition, step }: Pick<SendTurn, 'traveller' | 'definition' | 'step'>,
  { sequenceId }: CohortRef,
): Omit<BatchMember, 'id' | 'addressHash' | 'rendered'> {
  const { enrolmentId, contactId } = traveller
  return {
    actKey: `drip/${enrolmentId}/${step.key}`,
    contactId,
    channel: step.channel,
    purpose: definition.purpose,
    enrolmentId,
    sequenceId,
    stepKey: step.key,
  }
}

/** RFC 8058: what mail programs show as a button, and what works without opening a page. */
function oneClick(url: string): Record<string, string> {
  return { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }
}

/** RFC 5322: a name with anything that means something in an address is quoted. */
export function mailbox({ name, address }: { name: string; address: string }): string {
  const isPlain = !/[",.:;<>@()[\]\\]/.test(name)
  return `${isPlain ? name : `"${name.replaceAll(/["\\]/g, '\\$&')}"`} <${address}>`
}
