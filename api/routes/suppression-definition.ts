import { z } from 'zod'
import type { Channel } from '../../workflows/contracts/sending.ts'
import { ChannelName, PurposeName } from './contact-answers.ts'
import { EmailAddress, phoneNumber } from './contact-definition.ts'

/** What a person may say of an address; bounces and complaints are told by providers. */
export const suppressionFields = {
  channel: ChannelName,
  purpose: PurposeName.nullable().default(null).meta({ description: 'null: nothing at all is sent there' }),
  reason: z.enum(['manual', 'opt_out']).default('manual'),
}

/** An address as it is sent to; null for what is none of this channel. */
export function readAddress(channel: Channel, text: string): string | null {
  if (channel !== 'email') return phoneNumber(text.trim(), undefined)
  const email = EmailAddress.safeParse(text)
  return email.success ? email.data : null
}

/** What is wanted in its place. */
export function addressWanted(channel: Channel): string {
  return channel === 'email'
    ? 'Give an e-mail address such as ann@example.com.'
    : 'Give the number with + and its country code, such as +15125550100.'
}
