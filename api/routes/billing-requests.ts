import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import {
  type ChangeRequest,
  findBillingRequest,
  findRepeatedRequest,
  insertBillingRequest,
  pendingChange,
  refuseRequest,
  type StoredRequest,
} from '../../db/billing-requests.ts'
import { wakeBilling } from '../../db/billing-story.ts'
import type { Tx } from '../../db/client.ts'
import { type Stories, StoryNotRunning, StoryRefused, StoryUnreachable } from '../../temporal-config/stories.ts'
import type { BillingRequest } from '../../workflows/contracts/billing-requests.ts'
import { carryOut, subscriptionId } from '../../workflows/contracts/subscription-lifecycle.ts'
import type { Handover } from '../handover.ts'
import { storyRequestId } from '../idempotency.ts'
import type { Whose } from '../platform.ts'
import { Problem } from '../problem.ts'
import { pendingAnswer } from './billing-answers.ts'
import { refusalOf } from './billing-refusals.ts'

export interface BillingStory {
  stories: Pick<Stories, 'update'>
  handover: Pick<Handover, 'now'>
}

/** A POST that asks for something, by whoever may. */
interface Asking {
  caller: { keyId: string }
  key: string | null
  /** As it was asked for: the same under the same key is the same request. */
  path: string
  body: unknown
  requestId: string
  now: Date
}

export const RequestAnswer = z
  .strictObject({
    id: z.uuid().meta({ description: 'Of the request itself' }),
    status: z.enum(['done', 'waiting']).meta({ description: '`waiting`: it is accepted, and is done at `dueAt`' }),
    dueAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'BillingRequestAnswer' })

/** The problems of everything that the story is asked for. */
export const requestProblems = ['wrong_state', 'conflict', 'payment_required', 'not_found'] as const

/**
 * Has the organisation's subscription story carry out what `decide` makes of the rows; that may throw a Problem. Stored first, and known by its key:
 * repeated, it is not decided a second time but answered as it was, also where the first answer was lost. What the story refuses is a Problem.
 */
export async function carryOutForPerson(
  whose: Whose,
  asking: Asking,
  { stories, handover }: BillingStory,
  decide: (tx: Tx) => Promise<BillingRequest>,
): Promise<z.input<typeof RequestAnswer>> {
  const { id } = await whose.as((tx) => stored(tx, asking, decide))
  const workflowId = subscriptionId(whose.organisationId)
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const status = await stories.update(workflowId, carryOut, { updateId: id, args: [id] })
      const row = await whose.as((tx) => findBillingRequest(tx, id))
      return { id, status, dueAt: (status === 'waiting' ? row?.dueAt?.toISOString() : null) ?? null }
    } catch (error) {
      if (error instanceof StoryUnreachable) throw unavailable(error)
      if (error instanceof StoryRefused && error.code === 'temporarily_unavailable') throw unavailable(error)
      if (error instanceof StoryRefused) throw await refused(whose, id, error, asking.now)
      if (!(error instanceof StoryNotRunning)) throw error
      // It has not begun, or somebody has ended it: it begins with what it is told, and finds in the rows what there is to do.
      const { organisationId } = whose
      await whose.as((tx) => wakeBilling(tx, { organisationId, requestId: asking.requestId }, asking.now))
      await handover.now(workflowId)
    }
  }
  throw unavailable()
}

async function stored(
  tx: Tx,
  { caller, key, path, body, now }: Asking,
  decide: (tx: Tx) => Promise<BillingRequest>,
): Promise<StoredRequest> {
  // By all that was asked: under a key that came free a corrected request is another one.
  const requestKey = key === null ? null : storyRequestId(`${path}/${JSON.stringify(body)}`, key)
  const findRepeated = () => (requestKey === null ? null : findRepeatedRequest(tx, requestKey))
  const repeated = await findRepeated()
  if (repeated !== null) return repeated
  const request = await decide(tx)
  const row = await insertBillingRequest(tx, { request, requestKey, actor: `key:${caller.keyId}`, now })
  if (row !== null) return row
  const [twin, pending] = [await findRepeated(), await pendingChange(tx)]
  if (twin !== null) return twin
  // It has just ended, and there is nothing to show.
  if (pending === null) throw unavailable()
  // One that is still being carried out may have lost its answer: asked for again, it is the same.
  if (pending.status === 'requested' && isDeepStrictEqual(pending.request, request)) return pending
  throw changePending(pending)
}

/** 409 with the change that holds the place. */
function changePending(pending: ChangeRequest): Problem {
  const { planKey, when } = pending.request
  const detail =
    pending.status === 'waiting'
      ? `A change to ${planKey} waits for its time: take it back by POST /billing/change-plan/undo first.`
      : `A change to ${planKey} (${when}) is being carried out: read GET /billing to see what becomes of it.`
  return new Problem('conflict', detail, { members: { pending: pendingAnswer(pending) } })
}

async function refused(whose: Whose, id: string, error: StoryRefused, now: Date): Promise<Problem> {
  await whose.as((tx) => refuseRequest(tx, id, error.code, now))
  const pending = error.code === 'conflict' ? await whose.as(pendingChange) : null
  if (pending !== null) return changePending(pending)
  return refusalOf(error, await whose.as((tx) => findBillingRequest(tx, id)))
}

function unavailable(cause?: Error): Problem {
  const detail = 'The subscription gave no answer in time. It is safe to ask again, under the same Idempotency-Key.'
  return new Problem('temporarily_unavailable', detail, { headers: { 'retry-after': '5' }, ...(cause && { cause }) })
}
