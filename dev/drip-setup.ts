import { z } from 'zod'
import type { ApiClient } from './api-client.ts'

const Made = z.object({ id: z.uuid() })
const Policy = z.object({ updatedAt: z.string().nullable() })
const Saved = z.object({ contact: Made })

export const sequenceName = 'Sample: a question, a reminder, an offer'

export interface DripSetup {
  senderId: string
  sequenceId: string
  /** Somebody who is where it is not the hour for messages. */
  outsiderId: string
}

/** Sets everything up by which the sample writes to people. What an earlier start has made is used again. */
export async function setUpDrip(api: ApiClient): Promise<DripSetup> {
  // Made of the hour at which it is first set, so another start must not set another one.
  const { updatedAt } = Policy.parse(await api.get('/policy'))
  if (updatedAt === null) await api.post('/policy', { window: allHoursButOne(new Date()) }, crypto.randomUUID())
  const { id: senderId } = Made.parse(await api.post('/senders', sender, 'sample/sender'))
  const { id } = Made.parse(await api.post('/sequences', sequenceOf(senderId), 'sample/sequence'))
  await api.post(`/sequences/${id}/publish`, {}, 'sample/sequence/publish')
  const { contact } = Saved.parse(await api.post('/contacts', outsider, 'sample/outsider'))
  await api.post(`/sequences/${id}/enrolments`, { contactId: contact.id }, 'sample/outsider/enrolment')
  return { senderId, sequenceId: id, outsiderId: contact.id }
}

const sender = {
  channel: 'email',
  provider: 'resend',
  name: 'Our own shop',
  address: 'hello@our-own-shop.test',
  replyTo: 'answers@our-own-shop.test',
  postalAddress: 'Our own shop, 1 Main Street, Austin, TX 78701',
  ratePerSecond: 20,
}

/** Seconds where people would have days: the code is the same. */
const sequenceOf = (senderId: string) => ({
  name: sequenceName,
  definition: {
    purpose: 'marketing',
    senderId,
    steps: [
      {
        key: 'hello',
        type: 'message',
        channel: 'email',
        subject: 'A question about {{ contact.properties.name | default: "your website" }}',
        text: 'Hello,\n\nwe had a look at {{ contact.properties.website }}. May we show you what we noticed?\n\n{{ sender.name }}',
      },
      {
        key: 'interest',
        type: 'wait',
        event: { firstOf: [{ type: 'message.clicked', next: 'offer' }], timeout: 'PT6S' },
      },
      {
        key: 'reminder',
        type: 'message',
        channel: 'email',
        subject: 'Did you see it?',
        text: 'Hello again,\n\nit would take ten minutes.\n\n{{ sender.name }}',
      },
      { key: 'pause', type: 'wait', for: 'PT4S' },
      {
        key: 'worth-it',
        type: 'branch',
        arms: [{ when: [{ property: 'score', atLeast: 70 }], next: 'offer' }],
        else: 'end',
      },
      {
        key: 'offer',
        type: 'message',
        channel: 'email',
        subject: 'An offer',
        text: 'Hello,\n\nthis is what we would do first.\n\n{{ sender.name }}',
      },
    ],
  },
})

/** Far from every place in the United States, by the clock. */
const farZone = 'Asia/Kolkata'
const outsider = {
  externalId: 'sample-far-away',
  email: 'office@far-away.test',
  country: 'IN',
  timeZone: farZone,
  properties: { website: 'far-away.test' },
}

/** Everywhere the whole day but the hour that it is now in the far zone: whoever is there waits, and nobody else does at night. */
function allHoursButOne(now: Date): { from: string; to: string; outside: 'hold' } {
  return {
    from: clockThere(now.getTime() + 40 * minuteMs),
    to: clockThere(now.getTime() - 20 * minuteMs),
    outside: 'hold',
  }
}

const minuteMs = 60_000

function clockThere(at: number): string {
  // Swedish writes times as HH:MM.
  return new Intl.DateTimeFormat('sv-SE', { timeZone: farZone, timeStyle: 'short' }).format(at)
}
