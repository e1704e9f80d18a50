import type { z } from 'zod'
import type { SequenceDefinition } from '../../workflows/contracts/sequences.schema.ts'
import type { Draws } from './draws.ts'

/** What comes of somebody's messages: most of it by the sandbox's conventions for addresses. */
const fates = {
  plain: { share: 0.36, address: 'plain-', leaves: false },
  open: { share: 0.16, address: 'open+', leaves: false },
  click: { share: 0.06, address: 'click+', leaves: false },
  /** Nothing is ever heard of them: what is unclear can only be looked up. */
  silent: { share: 0.14, address: 'silent+', leaves: false },
  bounce: { share: 0.07, address: 'bounce+', leaves: true },
  reply: { share: 0.08, address: 'reply+', leaves: true },
  complaint: { share: 0.06, address: 'complaint+', leaves: true },
  /** By the link in a message. */
  optOut: { share: 0.07, address: 'opt-out-', leaves: true },
} as const
export type Fate = keyof typeof fates
const fateNames = ['plain', 'open', 'click', 'silent', 'bounce', 'reply', 'complaint', 'optOut'] as const

export interface Person {
  externalId: string
  email: string
  fate: Fate
  /** Who pays gets one message more. */
  pays: boolean
}

/** In the order in which they enter. */
export function drawPeople(count: number, draws: Draws): Person[] {
  const drawn = fateNames.flatMap((fate) => Array<Fate>(Math.round(fates[fate].share * count)).fill(fate))
  const all = Array.from({ length: count }, (_, index) => drawn[index] ?? 'plain')
  return draws.shuffled(all).map((fate, index) => ({
    externalId: `person-${index}`,
    email: `${fates[fate].address}${index}@people.test`,
    fate,
    pays: draws.chance(0.4),
  }))
}

/** Whether something comes of their messages that ends a journey. */
export const leaves = ({ fate }: Pick<Person, 'fate'>): boolean => fates[fate].leaves

const message = (key: string, next?: string) =>
  ({
    key,
    type: 'message',
    channel: 'email',
    // By it a message is told from outside.
    subject: key,
    text: 'Dear {{ contact.externalId }}',
    ...(next !== undefined && { next }),
  }) as const

/** Up to four messages, with seconds for days. */
export const definitionFor = (senderId: string): z.input<typeof SequenceDefinition> => ({
  purpose: 'marketing',
  senderId,
  steps: [
    message('hello'),
    { key: 'pause', type: 'wait', for: 'PT4S' },
    message('question'),
    {
      key: 'interest',
      type: 'wait',
      event: {
        firstOf: [{ type: 'message.opened', next: 'thanks' }],
        timeout: 'PT5S',
        onTimeout: 'reminder',
      },
    },
    message('reminder', 'fork'),
    message('thanks'),
    {
      key: 'fork',
      type: 'branch',
      arms: [{ when: [{ property: 'plan', is: 'paid' }], next: 'breath' }],
      else: 'end',
    },
    { key: 'breath', type: 'wait', for: 'PT4S' },
    message('offer'),
  ],
})

/** How many messages somebody who went through to the end should have got and has not, by the steps of those that were sent. */
export function missing({ fate, pays }: Person, sent: ReadonlySet<string>): number {
  const opens = fate === 'open' || fate === 'click'
  // An opening that is heard of late is none.
  const third = opens && sent.has('thanks') ? 'thanks' : 'reminder'
  const due = ['hello', 'question', third, ...(pays ? ['offer'] : [])]
  return due.filter((step) => !sent.has(step)).length
}

/** How many messages somebody has got that were never meant for them. */
export function unmeant({ fate, pays }: Person, sent: ReadonlySet<string>): number {
  const opens = fate === 'open' || fate === 'click'
  const wrong = [sent.has('thanks') && (!opens || sent.has('reminder')), sent.has('offer') && !pays]
  return wrong.filter(Boolean).length
}
