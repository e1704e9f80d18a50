import type { JSONValue } from 'postgres'
import type { Tx } from './client.ts'

export interface StoryEvent {
  seq: number
  type: string
  data: JSONValue
  at: Date
}

export const storyEventsChannel = 'story_events'

/**
 * Adds events to a story and notifies its readers once, with the story's id only. Numbers are taken under the story's lock: a serial
 * of the whole table would let a reader pass over a row that commits late.
 */
export async function appendStoryEvents(
  tx: Tx,
  storyId: string,
  events: readonly Omit<StoryEvent, 'seq'>[],
): Promise<void> {
  if (events.length === 0) return
  await lockStory(tx, storyId)
  let seq = await lastStoryEvent(tx, storyId)
  for (const { type, data, at } of events) {
    seq += 1
    await tx`insert into story_events (story_id, seq, type, data, at) values (${storyId}, ${seq}, ${type}, ${tx.json(data)}, ${at})`
  }
  await tx`select pg_notify(${storyEventsChannel}, ${storyId})`
}

/** Until the end of the transaction nobody else adds to this story. May be taken twice. */
export async function lockStory(tx: Tx, storyId: string): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${storyId}, 0))`
}

/** The events after `seq` (0 for all), oldest first, at most `limit`. */
export function storyEventsAfter(tx: Tx, storyId: string, seq: number, limit: number): Promise<StoryEvent[]> {
  return tx<StoryEvent[]>`
    select seq, type, data, at from story_events
    where story_id = ${storyId} and seq > ${seq} order by seq limit ${limit}`
}

/** The number of the story's newest event; 0 if there is none. */
export async function lastStoryEvent(tx: Tx, storyId: string): Promise<number> {
  const [last] = await tx<{ seq: number }[]>`
    select coalesce(max(seq), 0)::int as seq from story_events where story_id = ${storyId}`
  return last?.seq ?? 0
}

/** The newest events of one type, newest first. */
export function latestStoryEvents(tx: Tx, storyId: string, type: string, limit: number): Promise<StoryEvent[]> {
  return tx<StoryEvent[]>`
    select seq, type, data, at from story_events
    where story_id = ${storyId} and type = ${type} order by seq desc limit ${limit}`
}
