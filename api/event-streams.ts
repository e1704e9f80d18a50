import { once } from 'node:events'
import type { Response } from 'express'
import type { Database } from '../db/client.ts'
import { type StoryEvent, storyEventsAfter, storyEventsChannel } from '../db/story-events.ts'
import type { Logger } from '../log.ts'
import { Problem } from './problem.ts'

interface StreamedStory {
  organisationId: string
  storyId: string
  /** The number of the last event that the reader has. */
  after: number
  /** The story had ended before the reader came: what there is, is sent, and nothing is waited for. */
  isOver: boolean
  endsStory(event: StoryEvent): boolean
}

/** Server-Sent Events of stories, to many readers with one LISTEN. */
export interface EventStreams {
  /** Sends the story's events until it or the reader ends. */
  send(story: StreamedStory, response: Response): Promise<void>
  /** Ends all streams; readers come back, to another process. */
  close(): Promise<void>
}

const streamsPerOrganisation = 50
const eventsPerRead = 100
const heartbeatMs = 15_000
const reconnectMs = 2_000

export function createEventStreams(database: Database, log: Logger): EventStreams {
  const open = new Map<string, Set<Reader>>()
  const openPerOrganisation = new Map<string, number>()
  let listening: Promise<{ stop(): Promise<void> } | undefined> | undefined
  let closed = false

  function wake(storyId: string): void {
    for (const reader of open.get(storyId) ?? []) reader.wake()
  }

  function wakeAll(): void {
    for (const storyId of open.keys()) wake(storyId)
  }

  /** Once per process. If it fails, it is retried at the next stream; heartbeats read meanwhile. */
  function listen() {
    listening ??= database.listen(storyEventsChannel, wake, wakeAll).catch((error: unknown) => {
      log.warn({ err: error }, 'listening for story events failed')
      listening = undefined
      return undefined
    })
  }

  return {
    async send(story, response) {
      const { organisationId, storyId } = story
      if (closed)
        throw new Problem('temporarily_unavailable', 'The server is stopping.', { headers: { 'retry-after': '1' } })
      const count = openPerOrganisation.get(organisationId) ?? 0
      if (count >= streamsPerOrganisation) {
        throw new Problem('limit_reached', `${streamsPerOrganisation} event streams are open.`, {
          headers: { 'retry-after': '30' },
        })
      }
      listen()
      const reader = createReader(response)
      const readers = open.get(storyId) ?? new Set()
      openPerOrganisation.set(organisationId, count + 1)
      open.set(storyId, readers.add(reader))
      try {
        await follow(database, story, reader, response)
      } finally {
        reader.end()
        readers.delete(reader)
        if (readers.size === 0) open.delete(storyId)
        const left = (openPerOrganisation.get(organisationId) ?? 1) - 1
        if (left === 0) openPerOrganisation.delete(organisationId)
        else openPerOrganisation.set(organisationId, left)
      }
    },

    async close() {
      closed = true
      for (const readers of open.values()) for (const reader of readers) reader.end()
      await (await listening)?.stop()
    },
  }
}

async function follow(database: Database, story: StreamedStory, reader: Reader, response: Response): Promise<void> {
  let { after, isOver } = story
  response.status(200).set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no', // nginx would hold events back
  })
  await reader.write(`retry: ${reconnectMs}\n\n`)
  while (!reader.signal.aborted) {
    // Taken before reading, so that what is written meanwhile is not slept through.
    const news = reader.news()
    const events = await database.as(story.organisationId, (tx) =>
      storyEventsAfter(tx, story.storyId, after, eventsPerRead),
    )
    for (const event of events) {
      after = event.seq
      isOver ||= story.endsStory(event)
    }
    await reader.write(events.map(asText).join(''))
    if (events.length === eventsPerRead) continue
    if (isOver) break
    await news
  }
  response.end()
}

function asText({ seq, type, data, at }: StoryEvent): string {
  const fields = typeof data === 'object' && data !== null ? Object.entries(data) : [['value', data]]
  const json = JSON.stringify({ ...Object.fromEntries(fields), at })
  return `id: ${seq}\nevent: ${type}\ndata: ${json}\n\n`
}

type Reader = ReturnType<typeof createReader>

/** The connection to one reader: kept alive by heartbeats, and cut when the reader takes nothing in from one to the next. */
function createReader(response: Response) {
  const ended = new AbortController()
  let news = Promise.withResolvers<void>()

  const heartbeat = setInterval(() => {
    if (response.writableNeedDrain) response.destroy()
    else response.write(': still here\n\n', () => wake())
  }, heartbeatMs)
  response.once('close', end)
  if (response.destroyed) end()

  function wake(): void {
    news.resolve()
    news = Promise.withResolvers()
  }

  function end(): void {
    clearInterval(heartbeat)
    ended.abort()
    news.resolve()
  }

  return {
    signal: ended.signal,
    wake,
    end,
    /** Resolves at the next wake or at the end. */
    news: () => news.promise,
    async write(text: string): Promise<void> {
      if (ended.signal.aborted || text === '' || response.write(text)) return
      await once(response, 'drain', { signal: ended.signal }).catch(() => {})
    },
  }
}
