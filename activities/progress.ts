import { campaignIsFinished } from '../db/campaigns.ts'
import type { Tx } from '../db/client.ts'
import { appendStoryEvents, latestStoryEvents, lockStory } from '../db/story-events.ts'

/** How far a stage is, as readers of the event stream get it. */
interface Progress {
  stage: string
  done: number
  total: number
  /** Null until there is something to measure. */
  ratePerSecond: number | null
  etaSeconds: number | null
}

/** At most this many progress events a stage, however large the campaign. */
const eventsPerStage = 50
/** The rate is that of the last few events, so that a pause is soon forgotten. */
const rateWindow = 5

/**
 * Appends a progress event when the stage has moved far enough since the last one, is done, or has begun anew. A story that has ended tells
 * no more, though a reader that was under way may still record what it brought.
 */
export async function reportProgress(
  tx: Tx,
  storyId: string,
  type: 'prospect.found' | 'prospect.analysed' | 'prospect.scored' | 'prospect.exported' | 'prospect.enrolled',
  stage: { name: string; count: () => Promise<{ done: number; total: number }> },
  now: Date,
): Promise<void> {
  await lockStory(tx, storyId) // before looking, so that numbers never run backwards and no end comes in between
  if (await campaignIsFinished(tx, storyId)) return
  const { done, total } = await stage.count()
  const recent = (await latestStoryEvents(tx, storyId, type, rateWindow)).map(({ data, at }) => ({
    done: doneOf(data),
    at,
  }))
  const [last] = recent
  if (last && done === last.done) return
  const moved = done - (last?.done ?? -Infinity)
  if (moved > 0 && done < total && moved < total / eventsPerStage) return
  const progress = { stage: stage.name, done, total, ...pace(recent.at(-1), { done, total, now }) } satisfies Progress
  await appendStoryEvents(tx, storyId, [{ type, data: progress, at: now }])
}

function pace(
  from: { done: number; at: Date } | undefined,
  { done, total, now }: { done: number; total: number; now: Date },
): Pick<Progress, 'ratePerSecond' | 'etaSeconds'> {
  const seconds = from ? (now.getTime() - from.at.getTime()) / 1000 : 0
  if (!from || seconds <= 0 || done <= from.done) return { ratePerSecond: null, etaSeconds: null }
  const ratePerSecond = (done - from.done) / seconds
  return { ratePerSecond: Number(ratePerSecond.toPrecision(3)), etaSeconds: Math.ceil((total - done) / ratePerSecond) }
}

function doneOf(data: unknown): number {
  return data !== null && typeof data === 'object' && 'done' in data && typeof data.done === 'number' ? data.done : 0
}
