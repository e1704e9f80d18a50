import { setTimeout as wait } from 'node:timers/promises'
import type postgres from 'postgres'
import type { Database, Tx } from '../../db/client.ts'
import { skipMessages } from '../../db/messages.ts'
import { type NoticeGround, noticeGround } from '../../db/notice-ground.ts'
import {
  findNotice,
  firstSender,
  newMessageId,
  noticeRecipient,
  openNotices,
  operatorContact,
  planNotice,
} from '../../db/notices.ts'
import { platformOrganisationId } from '../../db/organisations.ts'
import type { MessageStatus } from '../../workflows/contracts/sending.ts'
import { renderNotice } from '../../workflows/rules/rendering.ts'
import { type Clock, decisionTime } from '../clock.ts'
import { whileHeartbeating } from '../heartbeat.ts'
import { type EmailChannel, idTags } from '../ports.ts'
import { mailbox } from '../sending/outgoing.ts'
import { goOnWith, type NoticeWorld, noticeRow } from './notice-calls.ts'
import { textOf } from './notice-texts.ts'
import { type NoticeAct, wordsFor } from './notice-words.ts'

export interface NoticeSettings {
  /** Where customers pay and change their cards; undefined: they are asked to answer. */
  portalUrl: string | undefined
  /** Who is told of disputes; undefined: the timeline alone tells. */
  operatorEmail: string | undefined
}

/** How a notice stands. `planned`, `sending` and `unconfirmed` are settled later, and hold nobody up. */
export interface NoticeOutcome {
  status: MessageStatus
  /** Why it did not go, or not yet: a code. */
  reason: string | null
}

/** A notice that is due again this soon is waited for. */
const soonMs = 3_000
const mostTurns = 3

/** Notices of billing: transactional e-mails of the platform's organisation to those who pay it, and to its operators. */
export function createBillingNotices({
  database,
  system,
  email,
  clock,
  notices: { portalUrl, operatorEmail },
  lookUpAfterMs,
}: {
  database: Database
  system: postgres.Sql
  email: EmailChannel
  clock: Clock
  notices: NoticeSettings
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
}) {
  let platform: Promise<string> | undefined

  return {
    /**
     * Sends a notice once under its act's key, and tells how it stands. Repeated after a kill it goes on where it was. One that cannot go is left out with
     * the reason, and one that may not go yet, or may have gone, is left to `followUpNotices`: it throws only when the database does not answer.
     */
    async sendNotice(sending: { organisationId: string; act: NoticeAct; now: number }): Promise<NoticeOutcome> {
      const { organisationId, act } = sending
      return atWork(sending.now, async (world, platformId) => {
        const ground = await database.as(organisationId, noticeGround)
        const now = world.now()
        const contactId = await contactFor(act, ground, { platformId, now })
        if (contactId === null) return { status: 'skipped', reason: 'no_contact' }
        await world.as((tx) => plan(tx, { act, ground, contactId, platformId }, now))
        for (let turn = 1; turn <= mostTurns; turn += 1) {
          const again = await goOnWith(act.key, world)
          const waitMs = again === null ? Infinity : again.getTime() - world.now().getTime()
          if (waitMs > soonMs) break
          if (turn < mostTurns && waitMs > 0) await wait(waitMs, undefined, { signal: world.signal })
        }
        const notice = await world.as((tx) => findNotice(tx, act.key))
        if (!notice) throw new Error('a notice that was written down is gone')
        return { status: notice.status, reason: notice.reason }
      })
    },

    /** Goes on with the notices of an organisation that have not gone yet, or may have. Tells when to ask again, in ms since the epoch; null: none are left. */
    async followUpNotices(asked: { organisationId: string; now: number }): Promise<{ again: number | null }> {
      return atWork(asked.now, async (world) => {
        const keys = await world.as((tx) => openNotices(tx, `billing/${asked.organisationId}/`))
        let again: number | null = null
        for (const key of keys) {
          const at = await goOnWith(key, world)
          if (at !== null) again = Math.min(again ?? Infinity, at.getTime())
        }
        return { again }
      })
    },
  }

  async function atWork<T>(now: number, work: (world: NoticeWorld, platformId: string) => Promise<T>): Promise<T> {
    platform ??= platformOrganisationId(system).catch((error: unknown) => {
      platform = undefined
      throw error
    })
    const platformId = await platform
    const as = <R>(part: (tx: Tx) => Promise<R>) => database.as(platformId, part)
    return whileHeartbeating(
      () => ({}),
      (signal) => work({ as, email, now: () => decisionTime(clock, now), signal, lookUpAfterMs }, platformId),
    )
  }

  async function contactFor(
    act: NoticeAct,
    { contactId }: NoticeGround,
    saving: { platformId: string; now: Date },
  ): Promise<string | null> {
    if (act.is === 'notice') return contactId
    if (operatorEmail === undefined) return null
    return database.as(saving.platformId, (tx) => operatorContact(tx, operatorEmail, saving))
  }

  /** Writes the notice down as it is going to leave, or that it cannot be. */
  async function plan(
    tx: Tx,
    given: { act: NoticeAct; ground: NoticeGround; contactId: string; platformId: string },
    now: Date,
  ): Promise<void> {
    const { act, ground, contactId, platformId } = given
    if (await findNotice(tx, act.key)) return
    const recipient = await noticeRecipient(tx, contactId)
    const sender = await firstSender(tx, 'email', email.provider)
    const row = noticeRow({ actKey: act.key, contactId })
    if (!recipient?.email || !recipient.emailHash) return skipMessages(tx, [{ ...row, reason: 'no_address' }], now)
    if (!sender) return skipMessages(tx, [{ ...row, reason: 'no_sender' }], now)
    const words = { ...wordsFor(act, ground, portalUrl ?? null), sender: sender.name }
    const content = renderNotice(textOf(act.notice), words)
    if (!content.ok) return skipMessages(tx, [{ ...row, reason: 'missing_variable' }], now)
    const id = await newMessageId(tx)
    const rendered = {
      from: mailbox(sender),
      to: recipient.email,
      replyTo: sender.replyTo,
      ...content.email,
      headers: {},
      tags: { [idTags.organisation]: platformId, [idTags.message]: id },
    }
    await planNotice(tx, { id, actKey: act.key, contactId, addressHash: recipient.emailHash, rendered }, now)
  }
}
