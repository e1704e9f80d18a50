import { z } from 'zod'
import type { ApiClient } from './api-client.ts'

/** What is used up in the sample. */
export const creditType = 'call_seconds'

const Billing = z.object({
  state: z.string(),
  access: z.string(),
  subscriptions: z.array(z.object({ id: z.string(), state: z.string() })),
  credits: z.array(z.object({ type: z.string(), balance: z.number(), period: z.object({ granted: z.number() }) })),
})
/** How it stands with what an organisation subscribes to. */
export type Billing = z.infer<typeof Billing>

const Entries = z.object({ data: z.array(z.object({ kind: z.string(), amount: z.number() })) })
const Contacts = z.object({ data: z.array(z.object({ id: z.uuid() })) })
const Messages = z.object({ data: z.array(z.object({ id: z.uuid() })) })
const Message = z.object({ content: z.object({ subject: z.string() }) })

/** What the trial brought, and what was left of it when it was over. */
export async function creditsOfTrial(customer: ApiClient): Promise<{ before: number; left: number }> {
  const { data } = Entries.parse(await customer.get(`/credits/ledger?type=${creditType}&limit=100`))
  const [trial, ...later] = data.toReversed()
  const paidFrom = later.findIndex(({ kind }) => kind === 'granted')
  const used = later.slice(0, paidFrom === -1 ? undefined : paidFrom)
  const before = trial?.amount ?? 0
  return { before, left: used.reduce((left, { amount }) => left + amount, before) }
}

/** The subjects of what has left for an address, the oldest first. */
export async function emailsTo(operator: ApiClient, address: string): Promise<string[]> {
  const [contact] = Contacts.parse(await operator.get(`/contacts?email=${encodeURIComponent(address)}`)).data
  if (!contact) return []
  const { data } = Messages.parse(await operator.get(`/messages?contactId=${contact.id}&status=sent&limit=100`))
  const read = async ({ id }: { id: string }) => Message.parse(await operator.get(`/messages/${id}`)).content.subject
  return Promise.all(data.toReversed().map(read))
}

export async function readBilling(customer: ApiClient): Promise<Billing> {
  return Billing.parse(await customer.get('/billing'))
}

/** Something is to be paid before all is as it was. */
export const isOwing = ({ state }: Billing): boolean => ['past_due', 'grace', 'suspended'].includes(state)

/** The credits that are left, and those that the period brought. */
export function creditsIn({ credits }: Billing): { balance: number; granted: number } {
  const account = credits.find(({ type }) => type === creditType)
  return { balance: account?.balance ?? 0, granted: account?.period.granted ?? 0 }
}
