import { randomUUID } from 'node:crypto'
import { isSameAddress } from '../../db/addresses.ts'
import type { Tx } from '../../db/client.ts'
import type { JourneySender } from '../../db/journeys.ts'
import { type BatchMember, claimMessages, recordOutcomes, skipMessages, type UnclearBatch } from '../../db/messages.ts'
import { delayNotice, findNotice, firstSender, type Notice, noticeRecipient } from '../../db/notices.ts'
import { lockPersons } from '../../db/person-locks.ts'
import { currentPolicy } from '../../db/policies.ts'
import { isSuppressed } from '../../db/reach.ts'
import { reserveSlots } from '../../db/sender-slots.ts'
import type { NotSentReason } from '../../workflows/contracts/sending.ts'
import { decideSend } from '../../workflows/rules/send-decision.ts'
import { later } from '../clock.ts'
import { type CallWorld, type ClaimedCall, handOver } from '../sending/calls.ts'
import { mailbox } from '../sending/outgoing.ts'
import { lookUpMessages, repeatCall } from '../sending/unclear-calls.ts'

/** A notice that has not gone by then tells of what is over. */
const worthFor = 'P3D'
/** After which one that somebody keeps back is looked at again. */
const pausedForMs = 15 * 60_000

export interface NoticeWorld extends CallWorld {
  /** Before this time a provider may not show a message that it has taken. */
  lookUpAfterMs: number
}

/**
 * Takes a notice that is written down one step further: sends it, repeats its call, or asks what became of it. Tells when it is to be looked at
 * again; null: it is settled, or left to people.
 */
export async function goOnWith(actKey: string, world: NoticeWorld): Promise<Date | null> {
  const notice = await world.as((tx) => findNotice(tx, actKey))
  if (notice?.status === 'planned') return send(notice, world)
  const { lookUpAfterMs } = world
  if (notice?.status === 'sending' && notice.batchId !== null) {
    return repeatCall(notice.batchId, world, { lookUpAfterMs, mayAllGo: mayStillGo })
  }
  if (notice?.status === 'unconfirmed' && notice.lookUp === null) {
    const again = await lookUpMessages([notice], world, { lookUpAfterMs, mayGoAgain: () => true })
    return again.get(notice.id) ?? world.now()
  }
  return null
}

async function send(notice: Notice, world: NoticeWorld): Promise<Date | null> {
  const claimed = await world.as((tx) => claim(tx, notice, world))
  if (!('batch' in claimed)) return claimed.again
  const called = await handOver(claimed, world)
  if (called.is !== 'answered') return called.again
  await world.as((tx) => recordOutcomes(tx, claimed.batch.claim, called.outcomes, world.now()))
  return null
}

type Claim = ClaimedCall | { again: Date | null }

/** Decides inside the recipient's turn whether the notice goes now, and claims it. What was written stays; who gets it and by whom is as of now. */
async function claim(tx: Tx, { actKey, contactId }: Notice, { now, email }: NoticeWorld): Promise<Claim> {
  const seen = await noticeRecipient(tx, contactId)
  await lockPersons(tx, { contactIds: [contactId], addressHashes: seen?.emailHash ? [seen.emailHash] : [] })
  const at = now()
  const claimedMs = performance.now()
  const notice = await findNotice(tx, actKey)
  const recipient = await noticeRecipient(tx, contactId)
  // Somebody else is at it, or the address has changed since its turn was taken.
  if (
    notice?.status !== 'planned' ||
    !notice.rendered ||
    !isSameAddress(seen?.emailHash, recipient?.emailHash ?? null)
  ) {
    return { again: at }
  }
  const { policy, pausedAt } = await currentPolicy(tx)
  const person = {
    address: recipient?.email ?? null,
    zones: [],
    isSuppressed: recipient !== null && isSuppressed(recipient, 'transactional'),
    consent: null,
    lastSentAt: null,
  }
  const act = {
    purpose: 'transactional',
    channel: 'email',
    arrivedAt: notice.createdAt,
    expiresAfter: worthFor,
  } as const
  const decision = decideSend({ ...act, now: at }, person, policy)
  if (decision.do !== 'send') return leaveOut(decision.reason)
  const sender = await firstSender(tx, 'email', email.provider)
  if (sender === null) return leaveOut('no_sender')
  if (pausedAt !== null || sender.isPaused) return putOff('paused', later(at, pausedForMs))
  const slot = await slotOf(tx, sender, at)
  if (slot.is === 'taken') return putOff('sender_rate', slot.until)

  if (!recipient?.email || !recipient.emailHash) throw new Error('nobody without an address is written to')
  const batchId = randomUUID()
  const member: BatchMember = {
    id: notice.id,
    ...noticeRow(notice),
    addressHash: recipient.emailHash,
    rendered: { ...notice.rendered, from: mailbox(sender), to: recipient.email, replyTo: sender.replyTo },
  }
  const batch = {
    id: batchId,
    senderId: sender.id,
    providerKey: `batch/${batchId}`,
    claim: randomUUID(),
    claimedAt: at,
    messages: [member],
  }
  await claimMessages(tx, batch)
  return { batch, callAt: slot.at, claimedMs }

  async function leaveOut(reason: NotSentReason): Promise<Claim> {
    await skipMessages(tx, [{ ...noticeRow({ actKey, contactId }), reason }], at)
    return { again: null }
  }

  async function putOff(reason: NotSentReason, again: Date): Promise<Claim> {
    if (notice) await delayNotice(tx, notice.id, reason)
    return { again }
  }
}

/** What every row of `messages` for a notice says. */
export function noticeRow({
  actKey,
  contactId,
}: Pick<Notice, 'actKey' | 'contactId'>): Omit<BatchMember, 'id' | 'addressHash' | 'rendered'> {
  const nowhere = { enrolmentId: null, sequenceId: null, stepKey: null }
  return { actKey, contactId, channel: 'email', purpose: 'transactional', ...nowhere }
}

/** A time of the sender's: soon enough for the call to wait for it. */
async function slotOf(
  tx: Tx,
  { id, ratePerSecond, nextSlotAt }: JourneySender,
  now: Date,
): Promise<{ is: 'given'; at: Date } | { is: 'taken'; until: Date }> {
  if (ratePerSecond === null) {
    return nextSlotAt !== null && nextSlotAt > now ? { is: 'taken', until: nextSlotAt } : { is: 'given', at: now }
  }
  const { count, at, nextAt } = await reserveSlots(tx, id, 1, now)
  return count === 0 ? { is: 'taken', until: nextAt } : { is: 'given', at }
}

/** To the same address, if nobody has suppressed it since. */
async function mayStillGo(tx: Tx, { open }: { open: UnclearBatch['members'] }): Promise<boolean> {
  for (const { contactId, addressHash } of open) {
    const recipient = await noticeRecipient(tx, contactId)
    if (!recipient || !isSameAddress(addressHash, recipient.emailHash)) return false
    if (isSuppressed(recipient, 'transactional')) return false
  }
  return true
}
