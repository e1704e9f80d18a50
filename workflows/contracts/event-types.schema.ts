import { z } from 'zod'
import { customEventType } from './contacts.ts'

/**
 * What happens to a person by our own vocabulary, whichever way it comes about. Other facts are told in histories alone (`message.sent`,
 * `enrolment.exited`): nobody is woken by each of them, so a wait for one might never end.
 */
const ownEvents = {
  consent: 'granted withdrawn',
  suppression: 'added lifted',
  message: 'resolved delivered bounced complained opened clicked received auto_replied',
}
const ownEventTypes = new Set(
  Object.entries(ownEvents).flatMap(([subject, facts]) => facts.split(' ').map((fact) => `${subject}.${fact}`)),
)

/** What a sequence may wait for, ask about or aim at. */
export const EventType = z
  .string()
  .refine(
    (type) => ownEventTypes.has(type) || customEventType.test(type),
    `Give a type of your own such as custom.signed_up, or one of ours: ${[...ownEventTypes].join(', ')}.`,
  )
  .meta({
    description: `One of your own, \`custom.\` and a name, or one of ours: ${[...ownEventTypes].map((type) => `\`${type}\``).join(', ')}. A reply is \`message.received\`.`,
    example: 'custom.signed_up',
  })
