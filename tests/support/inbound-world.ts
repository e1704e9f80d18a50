import pino from 'pino'
import { expect } from 'vitest'
import { dripSequenceId } from '../../workflows/contracts/drip-sequence.ts'
import type { MessageFact, ReplyFact } from '../../workflows/contracts/inbound-events.ts'
import type { MessageStatus } from '../../workflows/contracts/sending.ts'
import type { ExitTrigger } from '../../workflows/contracts/sequences.ts'
import { testApi } from './api.ts'
import { messageRow } from './message-rows.ts'
import { contactRow, journeyRow } from './people-rows.ts'
import { readSigned, type Said, signed } from './webhooks.ts'

/** The API with a provider that tells it of messages and replies, and rows to look at afterwards. Call it at the top of the file. */
export async function inboundWorld() {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const api = await testApi({
    log,
    webhooks: [
      { provider: 'resend', read: readSigned, secretSetting: 'RESEND_WEBHOOK_SECRET' },
      { provider: 'unset', read: null, secretSetting: 'UNSET_WEBHOOK_SECRET' },
    ],
  })
  const { url, database, system, organisationId } = api
  let people = 0

  const newEmail = () => `person-${(people += 1)}@people.test`
  const post = (body: string, headers: Record<string, string>, provider = 'resend') =>
    fetch(`${url}/webhooks/${provider}`, { method: 'POST', body, headers })

  return {
    ...api,
    /** What has been logged. */
    lines,
    newEmail,
    post,
    /** Has the provider say something, signed. */
    async say(said: Said & Record<string, unknown>): Promise<void> {
      const { body, headers } = signed(said)
      expect((await post(body, headers)).status).toBe(200)
    },
    /** Somebody on a journey with a message of it. */
    async recipient({ status = 'sent', exitOn = [] }: { status?: MessageStatus; exitOn?: ExitTrigger[] } = {}) {
      const email = newEmail()
      const contactId = await contactRow(database, organisationId, { email })
      const { enrolmentId, sequenceId, cohortId } = await journeyRow(database, organisationId, contactId, { exitOn })
      const journey = { contactId, email, enrolmentId, sequenceId }
      const messageId = await messageRow(database, organisationId, { ...journey, status })
      return { email, contactId, messageId, enrolmentId, workflowId: dripSequenceId(sequenceId, cohortId) }
    },
    factOf: (messageId: string, event: MessageFact['event'], changes: Partial<MessageFact> = {}): MessageFact => ({
      kind: 'message',
      event,
      organisationId,
      messageId,
      providerMessageId: `provider-${messageId}`,
      isPermanent: event === 'bounced',
      ...changes,
    }),
    replyFrom: (from: string, to: string, changes: Partial<ReplyFact> = {}): ReplyFact => ({
      kind: 'reply',
      from,
      to: [to],
      inReplyTo: [],
      providerMessageId: crypto.randomUUID(),
      isAutomatic: false,
      ...changes,
    }),
    messageOf: (id: string) =>
      database.as(organisationId, async (tx) => {
        const [row] = await tx`
          select status, reason, provider_message_id, sent_at, delivered_at, bounced_at, complained_at, opened_at, clicked_at,
            replied_at
          from messages where id = ${id}`
        return row
      }),
    eventsOf: (contactId: string, owner = organisationId) =>
      database.as(
        owner,
        (tx) => tx`
          select type, source_key, occurred_at from contact_events where contact_id = ${contactId} order by source_key`,
      ),
    suppressionsOf: (contactId: string) =>
      database.as(
        organisationId,
        (tx) => tx`select reason, purpose from suppressions where contact_id = ${contactId} order by reason`,
      ),
    journeyOf: (id: string) =>
      database.as(organisationId, async (tx) => (await tx`select status, reason from enrolments where id = ${id}`)[0]),
    inboundOf: (id: string) =>
      system`select organisation_id, type, status, payload from inbound_events where provider_event_id = ${id} order by id`,
  }
}

/** For what follows an answer at once, but after it. */
export const soon = { timeout: 5_000, interval: 20 }
