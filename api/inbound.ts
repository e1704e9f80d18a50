import type { Sql } from 'postgres'
import { organisationBilled } from '../db/billing-routing.ts'
import { wakeBilling } from '../db/billing-story.ts'
import type { Database } from '../db/client.ts'
import { plausibleTime, recordInboundEvent } from '../db/inbound-events.ts'
import { applyMessageFact, type Told } from '../db/message-facts.ts'
import { findSpokenOf, organisationsAnsweredAt, organisationsNamed } from '../db/message-routing.ts'
import { applyReply, findWriters } from '../db/replies.ts'
import type { BillingFact, InboundEvent, MessageFact, ReplyFact } from '../workflows/contracts/inbound-events.ts'

export interface InboundWorld {
  database: Database
  /** Finds out whom an event concerns, and keeps those that concern nobody. */
  system: Sql
}

interface Arrival {
  provider: string
  event: InboundEvent
  requestId: string
  now: Date
}

/**
 * Takes in what a provider told us: once for each organisation that it concerns, in one transaction with all that follows from it. The same
 * event may come again, at the same moment too. Returns the workflows to hand over.
 */
export function takeIn(world: InboundWorld, arrival: Arrival): Promise<string[]> {
  const { fact } = arrival.event
  if (fact === null) return keep(world, arrival, 'ignored')
  if (fact.kind === 'billing') return takeInBilling(world, arrival, fact)
  return fact.kind === 'message' ? takeInFact(world, arrival, fact) : takeInReply(world, arrival, fact)
}

async function takeInFact(world: InboundWorld, arrival: Arrival, fact: MessageFact): Promise<string[]> {
  const message = await findSpokenOf(world.system, arrival.provider, fact)
  if (message === null) return keep(world, arrival, 'unmatched')
  return world.database.as(message.organisationId, async (tx) => {
    if (!(await recordInboundEvent(tx, { ...arrival, status: 'delivered' }))) return []
    return applyMessageFact(tx, message.id, fact, toldBy(arrival, message.organisationId))
  })
}

/**
 * Several organisations may get their answers at one address, and the same person may be known to each. One that names a message is its sender's;
 * else it is for those that have written to where it comes from. Nobody else hears of it.
 */
async function takeInReply(world: InboundWorld, arrival: Arrival, fact: ReplyFact): Promise<string[]> {
  const workflowIds: string[] = []
  let isKnown = false
  const named = await organisationsNamed(world.system, fact.inReplyTo)
  const organisationIds = named.length > 0 ? named : await organisationsAnsweredAt(world.system, fact.to)
  for (const organisationId of organisationIds) {
    await world.database.as(organisationId, async (tx) => {
      const writers = await findWriters(tx, organisationId, fact)
      if (writers.length === 0) return
      isKnown = true
      if (!(await recordInboundEvent(tx, { ...arrival, status: 'delivered' }))) return
      workflowIds.push(...(await applyReply(tx, writers, fact, toldBy(arrival, organisationId))))
    })
  }
  return isKnown ? workflowIds : keep(world, arrival, 'unmatched')
}

/** What it says is not gone by: the story asks the provider what holds now. */
async function takeInBilling(world: InboundWorld, arrival: Arrival, fact: BillingFact): Promise<string[]> {
  const { requestId, now } = arrival
  const organisationId = await organisationBilled(world.system, fact)
  if (organisationId === null) return keep(world, arrival, 'unmatched', idsOf(fact))
  return world.database.as(organisationId, async (tx) => {
    if (!(await recordInboundEvent(tx, { ...arrival, status: 'delivered' }))) return []
    return [await wakeBilling(tx, { organisationId, requestId }, now)]
  })
}

function idsOf({ customerId, paymentIds }: BillingFact): string[] {
  return customerId === null ? paymentIds : [customerId, ...paymentIds]
}

/** Without an organisation: nobody knows yet whom it concerns. */
async function keep(
  { system }: InboundWorld,
  arrival: Arrival,
  status: 'ignored' | 'unmatched',
  about: readonly string[] = [],
): Promise<string[]> {
  await recordInboundEvent(system, { ...arrival, status, about })
  return []
}

function toldBy({ provider, event, requestId, now }: Arrival, organisationId: string): Told {
  const occurredAt = plausibleTime(event.occurredAt, now)
  return { organisationId, provider, sourceKey: `inbound/${provider}/${event.id}`, occurredAt, requestId, now }
}
