import express, { type Request, Router } from 'express'
import { BadSignature, type InboundEvent, type WebhookReader } from '../activities/ports.ts'
import type { Logger } from '../log.ts'
import type { Handover } from './handover.ts'
import { type InboundWorld, takeIn } from './inbound.ts'
import { methodNotAllowed } from './mount.ts'
import { Problem } from './problem.ts'
import { requestIdOf } from './requests.ts'

/** A provider that tells us of what happens. */
export interface WebhookSource {
  /** Names its address, /webhooks/{provider}. */
  provider: string
  /** Null without its secret: then nothing can be believed. */
  read: WebhookReader | null
  /** The setting that holds the secret. */
  secretSetting: string
  /** So many stories are told a second of what it says; absent: as fast as they take it. */
  storiesPerSecond?: number
}

/** One that has its way to the stories. */
export type ConnectedSource = WebhookSource & { handover: Pick<Handover, 'begin'> }

/** In bytes: providers tell of one thing at a time, in a few kilobytes. */
const webhookBodyLimit = 1_000_000

/**
 * Where providers tell us of what happens. Only what they have signed is looked at, byte by byte as it came; 2xx says that it is kept, with all
 * that follows from it, and that they need not say it again.
 */
export function webhookRoutes(
  { clock, log, ...world }: InboundWorld & { clock: () => Date; log: Logger },
  sources: readonly ConnectedSource[],
): Router {
  const router = Router()
  // What is packed is refused: the signature is of the bytes that came.
  const rawBody = express.raw({ limit: webhookBodyLimit, type: () => true, inflate: false })
  for (const { provider, read, secretSetting, handover } of sources) {
    let refused = 0

    const verified = (reader: WebhookReader, request: Request, now: Date): InboundEvent[] => {
      try {
        return reader(bodyOf(request), headersOf(request), now)
      } catch (error) {
        if (!(error instanceof BadSignature)) throw error
        refused += 1
        log.warn({ provider, refused }, 'a webhook was refused: its signature is not the right one')
        throw new Problem('unauthenticated', 'The signature is missing, too old or not the right one.')
      }
    }

    router
      .route(`/webhooks/${provider}`)
      .post(rawBody, async (request, response) => {
        if (read === null) throw notSetUp(provider, secretSetting)
        const now = clock()
        const workflowIds: string[] = []
        for (const event of verified(read, request, now)) {
          workflowIds.push(...(await takeIn(world, { provider, event, requestId: requestIdOf(request), now })))
        }
        response.json({ received: true })
        for (const workflowId of new Set(workflowIds)) handover.begin(workflowId)
      })
      .all(methodNotAllowed('POST'))
  }
  return router
}

function bodyOf({ body }: { body?: unknown }): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function headersOf({ headers }: Request): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : undefined]),
  )
}

function notSetUp(provider: string, secretSetting: string): Problem {
  return new Problem(
    'temporarily_unavailable',
    `Nothing that ${provider} says can be verified: set ${secretSetting}.`,
    {
      headers: { 'retry-after': '300' },
    },
  )
}
