import { array, boolean, constantFrom, assert as holds, integer, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import type { PersonCondition, SequenceDefinition, Step } from '../../../workflows/contracts/sequences.ts'
import { type PersonFacts, walk, walkOn } from '../../../workflows/rules/journeys.ts'

const began = new Date('2026-06-01T10:00:00Z')
const later = (ms: number) => new Date(began.getTime() + ms)
const hourMs = 3_600_000
const zones = ['UTC']
const nothing: PersonFacts = { properties: {}, events: new Set() }
const happened = (...events: string[]): PersonFacts => ({ properties: {}, events: new Set(events) })
const start = { stepKey: null, arrivedAt: began }

const sequence = (...steps: Step[]): SequenceDefinition => ({
  purpose: 'marketing',
  senderId: '0198c0de-0000-7000-8000-000000000001',
  entry: 'once',
  exitOn: [],
  goal: null,
  steps,
})
const message = (key: string, next?: string): Step & { type: 'message' } => ({
  key,
  type: 'message',
  channel: 'email',
  subject: 'Bread',
  text: 'Fresh',
  next,
})
const wait = (key: string, duration: string): Step => ({ key, type: 'wait', for: duration })
const branch = (when: PersonCondition[], next: string, otherwise: string): Step => ({
  key: 'branch',
  type: 'branch',
  arms: [{ when, next }],
  else: otherwise,
})

test('it goes as far as the first message, and from there on once that is dealt with', () => {
  const [first, second] = [message('first'), message('second')]
  const both = sequence(first, second)
  const arrived = { visited: ['first'], stepKey: 'first', arrivedAt: began }
  expect(walk(both, start, null, zones, later(9))).toEqual({ ...arrived, turn: { is: 'message', step: first } })
  const onward = walkOn(both, 'first', null, zones, later(9))
  expect(onward).toEqual({
    visited: ['second'],
    stepKey: 'second',
    arrivedAt: later(9),
    turn: { is: 'message', step: second },
  })
  expect(walkOn(both, 'second', null, zones, later(9))).toMatchObject({
    visited: [],
    turn: { is: 'end', reason: 'completed' },
  })
})

test('a wait counts from the arrival at it, and who comes late has left it in time', () => {
  const two = sequence(wait('hour', 'PT1H'), wait('day', 'P1D'), message('mail'))
  const waiting = walk(two, start, null, zones, later(hourMs - 1))
  expect(waiting).toMatchObject({
    visited: ['hour'],
    turn: { is: 'wait', until: later(hourMs), events: [] },
  })
  expect(walk(two, waiting, null, zones, later(5 * hourMs))).toMatchObject({
    visited: ['day'],
    stepKey: 'day',
    arrivedAt: later(hourMs),
    turn: { is: 'wait', until: later(25 * hourMs) },
  })
})

test('a wait of no length is none', () => {
  expect(walk(sequence(wait('none', 'PT0S'), message('mail')), start, null, zones, began)).toMatchObject({
    visited: ['none', 'mail'],
    turn: { is: 'message' },
  })
})

test('it waits for a local time by the clocks of the person', () => {
  const morning: Step = { key: 'morning', type: 'wait', until: { weekdays: [2], at: '09:00' } }
  expect(walk(sequence(morning), start, null, ['Europe/Vienna'], began).turn).toEqual({
    is: 'wait',
    until: new Date('2026-06-02T07:00:00Z'),
    events: [],
  })
})

const waitForEvent: Step = {
  key: 'answer',
  type: 'wait',
  event: {
    firstOf: [{ type: 'message.clicked', next: 'clicked' }, { type: 'custom.signed_up' }],
    timeout: 'PT2H',
    onTimeout: 'silent',
  },
}
const answers = sequence(waitForEvent, message('signed-up', 'end'), message('clicked', 'end'), message('silent'))

test.each([
  ['the first that is listed decides', ['custom.signed_up', 'message.clicked'], 0, 'clicked'],
  ['one without a way of its own leads behind the wait', ['custom.signed_up'], 0, 'signed-up'],
  ['one that has happened counts for more than the time-out', ['custom.signed_up'], 3 * hourMs, 'signed-up'],
  ['after the time-out it goes another way', [], 2 * hourMs, 'silent'],
])('of the events waited for, %s', (_, events, ms, stepKey) => {
  expect(walk(answers, start, happened(...events), zones, later(ms))).toMatchObject({
    visited: ['answer', stepKey],
    turn: { is: 'message' },
  })
})

test('until an event or the time-out it waits, without a time-out for ever', () => {
  const events = ['message.clicked', 'custom.signed_up']
  expect(walk(answers, start, nothing, zones, began).turn).toEqual({ is: 'wait', until: later(2 * hourMs), events })
  const endless: Step = { key: 'answer', type: 'wait', event: { firstOf: [{ type: 'message.received' }] } }
  expect(walk(sequence(endless), start, nothing, zones, later(10 ** 10)).turn).toEqual({
    is: 'wait',
    until: null,
    events: ['message.received'],
  })
})

test('without facts it stops where they decide, and goes on from there with them', () => {
  const split = sequence(branch([{ property: 'plan', is: 'pro' }], 'pro', 'end'), message('pro'))
  const looking = walk(split, start, null, zones, began)
  expect(looking).toEqual({ visited: ['branch'], stepKey: 'branch', arrivedAt: began, turn: { is: 'look' } })
  expect(walk(split, looking, { ...nothing, properties: { plan: 'pro' } }, zones, later(1))).toMatchObject({
    visited: ['pro'],
    arrivedAt: began,
  })
  expect(walk(split, looking, nothing, zones, began).turn).toEqual({ is: 'end', reason: 'completed' })
  expect(walk(answers, start, null, zones, later(10 * hourMs)).turn).toEqual({ is: 'look' })
})

test('an exit ends it', () => {
  expect(walk(sequence({ key: 'out', type: 'exit' }, message('mail')), start, null, zones, began)).toMatchObject({
    visited: ['out'],
    stepKey: 'out',
    turn: { is: 'end', reason: 'exit_step' },
  })
})

const signedUp = { event: 'custom.signed_up', happened: true }
const person: PersonFacts = {
  properties: { plan: 'pro', seats: 5, isAgency: false, note: null },
  events: new Set(['custom.signed_up']),
}
test.each<[boolean, PersonCondition]>([
  [true, { property: 'plan', exists: true }],
  [false, { property: 'note', exists: true }],
  [true, { property: 'note', exists: false }],
  [true, { property: 'toString', exists: false }],
  [true, { property: 'plan', is: 'pro' }],
  [true, { property: 'isAgency', is: false }],
  [false, { property: 'seats', is: '5' }],
  [true, { property: 'plan', in: ['basic', 'pro'] }],
  [false, { property: 'missing', in: ['basic'] }],
  [true, { property: 'seats', atLeast: 5, atMost: 5 }],
  [false, { property: 'seats', atLeast: 6 }],
  [false, { property: 'plan', atMost: 6 }],
  [false, { property: 'missing', atMost: 6 }],
  [true, { event: 'custom.signed_up', happened: true }],
  [true, { event: 'custom.left', happened: false }],
  [false, { event: 'custom.left', happened: true }],
])('it is %s of the person that %j', (isSo, condition) => {
  const split = sequence(branch([condition], 'mail', 'end'), message('mail'))
  expect(walk(split, start, person, zones, began).visited.includes('mail')).toBe(isSo)
})

test('a step that its definition does not have is an error, not the end', () => {
  expect(() => walk(answers, { stepKey: 'gone', arrivedAt: began }, null, zones, began)).toThrow('no_such_step')
  expect(() => walkOn(sequence(message('first'), message('back', 'first')), 'back', null, zones, began)).toThrow(
    'no_such_step',
  )
})

test('how often it is looked at changes nothing about where somebody comes to, and when', () => {
  const types = ['wait', 'event', 'branch', 'message'] as const
  const shape = record({ type: constantFrom(...types), hours: integer({ min: 0, max: 30 }), leaps: boolean() })
  const looks = array(integer({ min: 0, max: 240 }), { maxLength: 5 })
  holds(
    property(array(shape, { minLength: 1, maxLength: 8 }), boolean(), looks, (shapes, hasSignedUp, hours) => {
      const steps = shapes.map(({ type, hours: duration, leaps }, index): Step => {
        const behind = index + (leaps ? 2 : 1)
        const next = behind < shapes.length ? `${behind}` : 'end'
        const timeout = `PT${duration}H`
        if (type === 'message') return message(`${index}`, next)
        if (type === 'wait') return { key: `${index}`, type, for: timeout, next }
        if (type === 'branch') return { ...branch([signedUp], next, 'end'), key: `${index}` }
        return { key: `${index}`, type: 'wait', event: { firstOf: [{ type: 'message.received' }], timeout }, next }
      })
      const definition = sequence(...steps)
      const facts = hasSignedUp ? happened('custom.signed_up') : nothing
      const { visited, ...once } = walk(definition, start, facts, zones, later(240 * hourMs))

      let often = walk(definition, start, facts, zones, began)
      const visitedOften = [...often.visited]
      for (const look of [...hours.toSorted((a, b) => a - b), 240]) {
        often = walk(definition, often, facts, zones, later(look * hourMs))
        visitedOften.push(...often.visited)
      }
      expect({ ...often, visited: visitedOften }).toEqual({ ...once, visited })
      expect(new Set(visited).size).toBe(visited.length)
    }),
    { numRuns: 2_000 },
  )
})
