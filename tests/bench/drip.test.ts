import { expect, test } from 'vitest'
import { spreadMessages, spreadProperties } from '../../bench/drip-spread.ts'
import { startProviderStub } from '../../bench/provider-stub.ts'
import { SequenceDefinition } from '../../workflows/contracts/sequences.schema.ts'
import { walk, walkOn } from '../../workflows/rules/journeys.ts'

test('the stub takes a repeated call once and counts what comes under another key twice', async () => {
  await using stub = await startProviderStub(1)
  const email = { to: 'ann@example.com', subject: 'run-1/first: hello' }
  const send = async (key: string) => {
    const headers = { 'idempotency-key': key }
    const answer = await fetch(`${stub.url}/emails/batch`, { method: 'POST', headers, body: JSON.stringify([email]) })
    return answer.json()
  }
  expect(await send('a')).toEqual(await send('a'))
  expect(await stub.counts('run-1')).toMatchObject({ deliveries: 1, duplicates: 0 })
  await send('b')
  expect(await stub.counts('run-1')).toMatchObject({ deliveries: 2, duplicates: 1 })
  expect(await stub.delivered('run-1')).toEqual(new Set(['ann@example.com first']))
})

test('the second profile has people due evenly over ten minutes', () => {
  const definition = SequenceDefinition.parse({
    purpose: 'marketing',
    senderId: crypto.randomUUID(),
    steps: spreadMessages('run-1'),
  })
  const entered = new Date('2026-01-05T10:00:00Z')
  const dueAt = Array.from({ length: 800 }, (_, number) => {
    const facts = { properties: spreadProperties(number), events: new Set<string>() }
    const { turn } = walk(definition, { stepKey: null, arrivedAt: entered }, facts, ['UTC'], entered)
    if (turn.is === 'message') return 0
    if (turn.is !== 'wait' || turn.until === null) throw new Error(`it begins with ${turn.is}`)
    return (turn.until.getTime() - entered.getTime()) / 1000
  })
  const inEachMinute = Map.groupBy(dueAt, (seconds) => Math.floor(seconds / 60))
  expect([...inEachMinute].toSorted(([one], [other]) => one - other).map(([, due]) => due.length)).toEqual(
    Array.from({ length: 10 }, () => 80),
  )
  expect(walkOn(definition, 'first', null, ['UTC'], entered).turn.is).toBe('wait')
})
