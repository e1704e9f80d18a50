import { z } from 'zod'
import { customEventType } from './contacts.ts'

/** What happens to a person by our own vocabulary; beside it there is what users tell of. */
const ownEvents = {
  contact: 'updated',
  consent: 'granted withdrawn',
  suppression: 'added lifted',
  enrolment: 'started refused held paused resumed completed exited',
  message: 'sent skipped rejected unconfirmed resolved delivered bounced complained opened clicked received',
}
const ownEventTypes = new Set(
  Object.entries(ownEvents).flatMap(([subject, facts]) => facts.split(' ').map((fact) => `${subject}.${fact}`)),
)

/** What a sequence may wait for, ask about or aim at. */
export const EventType = z
  .string()
  .refine(
    (type) => ownEventTypes.has(type) || customEventType.test(type),
    'Give a type of your own such as custom.signed_up, or one of ours such as message.clicked or message.received.',
  )
  .meta({
    description: `One of your own, \`custom.\` and a name, or one of ours: ${[...ownEventTypes].map((type) => `\`${type}\``).join(', ')}. A reply is \`message.received\`.`,
    example: 'custom.signed_up',
  })
