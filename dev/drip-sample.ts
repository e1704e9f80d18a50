import { z } from 'zod'
import { emailOf } from '../providers/websites/sandbox-pages.ts'
import type { ApiClient } from './api-client.ts'
import { type Funnel, funnelTable, readFunnel, sumOf } from './drip-funnel.ts'
import { type DripSetup, sequenceName } from './drip-setup.ts'
import type { SampleContext, Story } from './stories.ts'
import { lookUpStory, storiesAbout } from './story-look-ups.ts'
import { until } from './until.ts'

/** Businesses of the own list whose names decide what comes of a message to them; the last one is unsubscribed by the sample itself. */
export const tellingWebsites = [
  'reply-bakery.test',
  'bounce-bakery.test',
  'click-bakery.test',
  'open-bakery.test',
  'no-thanks-bakery.test',
]

/** The sequence takes a quarter of a minute; a machine may be slow, or be started anew in between. */
const patienceMs = 120_000
/** What comes of a message is told within a second. */
const factsPatienceMs = 5_000
/** Nobody in the sample is due later, but whoever is held by their window. */
const soonMs = 60_000

/** Shows the people of the sample on their way through the sequence, unsubscribes one of them, and says what became of all. */
export async function followDrip(
  context: SampleContext,
  api: ApiClient,
  { senderId, sequenceId, outsiderId }: DripSetup,
): Promise<Story> {
  const { say, config, signal } = context
  const workflowId = await until(patience(signal, 'listed'), async () => (await storiesAbout(config, sequenceId))[0])
  say(`\n${sequenceName} (${workflowId})`)
  const unsubscribedId = await unsubscribe(context, api, sequenceId)
  const funnel = await untilOver(context, api, sequenceId)
  for (const line of funnelTable(funnel)) say(`  ${line}`)
  const histories = {
    unsubscribed: unsubscribedId === null ? [] : await historyOf(unsubscribedId),
    farAway: await historyOf(outsiderId),
  }
  say('  who unsubscribed:')
  for (const line of histories.unsubscribed) say(`    ${line}`)
  say('  who is far away:')
  for (const line of histories.farAway) say(`    ${line}`)

  const { enrolled, underWay, completed, exited } = funnel.totals
  return {
    name: sequenceName,
    ids: { sequenceId, senderId },
    workflowId,
    ...(await lookUpStory(config, workflowId)),
    counts: {
      enrolled,
      waitingForTheirWindow: underWay,
      completed,
      replied: exited['reply'] ?? 0,
      unsubscribed: exited['opt_out'] ?? 0,
      bounced: exited['bounce'] ?? 0,
      sent: sumOf(funnel, 'sent'),
      delivered: sumOf(funnel, 'delivered'),
    },
    result: { status: 'completed', workflowIds: await storiesAbout(config, sequenceId), ...funnel, histories },
  }

  async function historyOf(contactId: string): Promise<string[]> {
    const { data } = History.parse(await api.get(`/contacts/${contactId}/history?limit=50`))
    return data.toReversed().map(({ at, text }) => `${at.slice(11, 19)} ${text}`)
  }
}

const DueTimes = z.object({ data: z.array(z.object({ dueAt: z.string().nullable() })) })
const History = z.object({ data: z.array(z.object({ at: z.string(), text: z.string() })) })
const Contacts = z.object({ data: z.array(z.object({ id: z.uuid() })) })
const Enrolments = z.object({ data: z.array(z.object({ status: z.string() })) })
const Messages = z.object({ data: z.array(z.object({ id: z.uuid(), status: z.string() })) })
const Message = z.object({ content: z.object({ text: z.string() }) })

const patience = (signal: AbortSignal, what: string) => ({
  signal,
  patienceMs,
  otherwise: `the sample's people were not ${what} in time`,
})

/** Until nobody is due any more but who is held by their window, and what comes of messages has been told. */
function untilOver({ say, signal }: SampleContext, api: ApiClient, sequenceId: string): Promise<Funnel> {
  let told = ''
  let overSince: number | undefined
  return until(patience(signal, 'through'), async () => {
    const active = DueTimes.parse(await api.get(`/sequences/${sequenceId}/enrolments?status=active&limit=100`))
    const funnel = await readFunnel(api, sequenceId) // after, so that it has what the last of them did
    const line = progressOf(funnel)
    if (line !== told) say(`  ${line}`)
    told = line
    if (active.data.some(({ dueAt }) => dueAt === null || Date.parse(dueAt) < Date.now() + soonMs)) return undefined
    overSince ??= Date.now()
    return isHeardOf(funnel) || Date.now() - overSince > factsPatienceMs ? funnel : undefined
  })
}

/**
 * Does what a mail program does at the press of its button, once the first message has gone. Returns whom it did that for; null where that
 * business shows no address.
 */
async function unsubscribe(
  { urls, say, signal }: SampleContext,
  api: ApiClient,
  sequenceId: string,
): Promise<string | null> {
  const address = emailOf(tellingWebsites.at(-1) ?? '')
  const [contact] = Contacts.parse(await api.get(`/contacts?email=${encodeURIComponent(address)}`)).data
  if (!contact) return null
  const { id } = contact
  return until(patience(signal, 'written to'), async () => {
    const enrolments = Enrolments.parse(await api.get(`/sequences/${sequenceId}/enrolments?contactId=${id}`))
    if (enrolments.data.every(({ status }) => status !== 'active')) return id // by an earlier start
    const messages = Messages.parse(await api.get(`/messages?contactId=${id}&status=sent`))
    const [sent] = messages.data
    if (!sent) return undefined
    const { content } = Message.parse(await api.get(`/messages/${sent.id}`))
    const [, path = ''] = /https?:\/\/[^/\s]+(\/u\/[\w-]+)/.exec(content.text) ?? []
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' })
    const response = await fetch(new URL(path, urls.api), { method: 'POST', body, signal })
    if (!response.ok) throw new Error(`the unsubscribe link answered ${response.status}`)
    say('  one of them presses "unsubscribe"')
    return id
  })
}

function progressOf(funnel: Funnel): string {
  const { enrolled, underWay, completed, exited } = funnel.totals
  const ended = Object.entries(exited).map(([reason, people]) => `, ${reason} ${people}`)
  return `${enrolled} people: ${underWay} under way, ${completed} through${ended.join('')}; ${sumOf(funnel, 'sent')} messages sent`
}

function isHeardOf({ steps }: Funnel): boolean {
  return steps.every(({ sent, delivered, bounced }) => delivered + bounced >= sent)
}
