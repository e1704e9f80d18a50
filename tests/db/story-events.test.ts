import { expect, test, vi } from 'vitest'
import { appendStoryEvents, storyEventsAfter, storyEventsChannel } from '../../db/story-events.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

const at = new Date('2026-01-05T12:00:00Z')
const append = (storyId: string, types: string[]) =>
  database.as(organisationId, (tx) =>
    appendStoryEvents(
      tx,
      storyId,
      types.map((type) => ({ type, data: {}, at })),
    ),
  )

test('writers at the same moment number their events without gaps, each batch in one piece', async () => {
  const storyId = crypto.randomUUID()
  await Promise.all(Array.from({ length: 20 }, (_, index) => append(storyId, [`a${index}`, `b${index}`])))
  const events = await database.as(organisationId, (tx) => storyEventsAfter(tx, storyId, 0, 100))
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
  for (const [index, event] of events.entries()) {
    if (index % 2 === 0) expect(events[index + 1]?.type).toBe(event.type.replace('a', 'b'))
  }
})

test('a batch notifies once, with the id only', async () => {
  const heard: string[] = []
  const listening = await database.listen(
    storyEventsChannel,
    (payload) => heard.push(payload),
    () => {},
  )
  const storyId = crypto.randomUUID()
  await append(storyId, ['one', 'two', 'three'])
  await append(storyId, ['four'])
  await vi.waitFor(() => expect(heard).toHaveLength(2))
  expect(heard).toEqual([storyId, storyId])
  await listening.stop()
})
