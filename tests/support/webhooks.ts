import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import { BadSignature, type WebhookReader } from '../../activities/ports.ts'
import type { InboundFact } from '../../workflows/contracts/inbound-events.ts'

const webhookSecret = `whsec_${Buffer.from('a secret of the tests, 32 bytes.').toString('base64')}`

const Body = z.object({ type: z.string(), occurredAt: z.string(), fact: z.custom<InboundFact>().nullable() })

/** A reader whose provider says our facts outright, under a signature that is checked. */
export const readSigned: WebhookReader = (rawBody, headers) => {
  const given: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) given[name] = value
  let payload: unknown
  try {
    payload = new Webhook(webhookSecret).verify(rawBody, given)
  } catch {
    throw new BadSignature()
  }
  const { type, occurredAt, fact } = Body.parse(payload)
  return [{ id: headers['webhook-id'] ?? '', type, occurredAt: new Date(occurredAt), payload, fact }]
}

export interface Said {
  id: string
  type?: string
  occurredAt?: Date | string
  fact: InboundFact | null
}

/** What the provider sends: its body and the headers that sign it. */
export function signed({ id, type = 'test', occurredAt = new Date(), fact, ...more }: Said & Record<string, unknown>) {
  const at = typeof occurredAt === 'string' ? occurredAt : occurredAt.toISOString()
  const body = JSON.stringify({ type, occurredAt: at, fact, ...more })
  const now = new Date()
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(webhookSecret).sign(id, now, body),
  }
  return { body, headers }
}
