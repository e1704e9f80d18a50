import { array, boolean, constantFrom, assert as holds, integer, oneof, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import { builtInPolicy } from '../../../workflows/contracts/sending.ts'
import type { SequenceDefinition, Step } from '../../../workflows/contracts/sequences.ts'
import { planJourney } from '../../../workflows/rules/journey-plan.ts'
import { someTime, somewhen } from '../../support/odd-zones.ts'
import { isWithin, timeShownAt } from '../../support/wall-clocks.ts'

const hourMs = 3_600_000
const now = new Date('2026-06-01T20:00:00Z')
const person = {
  address: 'a@bakery.test',
  zones: ['America/Chicago'],
  isSuppressed: false,
  consent: null,
  lastSentAt: null,
  facts: { properties: {}, events: new Set<string>() },
}
const sequence = (...steps: Step[]): SequenceDefinition => ({
  purpose: 'marketing',
  senderId: '0198c0de-0000-7000-8000-000000000001',
  entry: 'once',
  exitOn: [],
  goal: null,
  steps,
})
const message = (key: string, expiresAfter?: string): Step => ({
  key,
  type: 'message',
  channel: 'email',
  subject: 'Bread',
  text: 'Fresh',
  expiresAfter,
})

test('a plan tells when everything happens, what holds it back, and by whose clocks', () => {
  const definition = sequence(
    message('hello'),
    { key: 'half-day', type: 'wait', for: 'PT12H' },
    { key: 'is-pro', type: 'branch', arms: [{ when: [{ property: 'plan', is: 'pro' }], next: 'bye' }], else: 'more' },
    message('more'),
    { key: 'answer', type: 'wait', event: { firstOf: [{ type: 'message.received' }], timeout: 'P1D' } },
    message('bye', 'PT1H'),
    { key: 'out', type: 'exit' },
  )
  const at = (text: string) => new Date(`2026-06-${text}Z`)
  expect(planJourney(definition, person, { ...builtInPolicy, minGap: 'P2D' }, now)).toEqual([
    { stepKey: 'hello', type: 'message', at: now, what: 'send', reason: null },
    { stepKey: 'half-day', type: 'wait', at: now, what: 'wait', reason: null, until: at('02T08:00') },
    { stepKey: 'is-pro', type: 'branch', at: at('02T08:00'), what: 'branch', reason: null },
    { stepKey: 'more', type: 'message', at: at('02T08:00'), what: 'wait', reason: 'min_gap', until: at('03T20:00') },
    { stepKey: 'more', type: 'message', at: at('03T20:00'), what: 'send', reason: null },
    { stepKey: 'answer', type: 'wait', at: at('03T20:00'), what: 'wait', reason: null, until: at('04T20:00') },
    { stepKey: 'bye', type: 'message', at: at('04T20:00'), what: 'wait', reason: 'min_gap', until: at('05T20:00') },
    { stepKey: 'bye', type: 'message', at: at('05T20:00'), what: 'skip', reason: 'expired' },
    { stepKey: 'out', type: 'exit', at: at('05T20:00'), what: 'exit', reason: 'exit_step' },
  ])
})

test('a message that has to wait for morning says where it is night', () => {
  const late = new Date('2026-06-02T02:00:00Z')
  const opens = new Date('2026-06-02T13:00:00Z')
  expect(planJourney(sequence(message('hello')), person, builtInPolicy, late)).toEqual([
    {
      stepKey: 'hello',
      type: 'message',
      at: late,
      what: 'wait',
      reason: 'outside_window',
      until: opens,
      zone: 'America/Chicago',
    },
    { stepKey: 'hello', type: 'message', at: opens, what: 'send', reason: null },
    { stepKey: null, type: null, at: opens, what: 'end', reason: 'completed' },
  ])
})

test('a plan ends where only an event or a person goes on', () => {
  const endless: Step = { key: 'answer', type: 'wait', event: { firstOf: [{ type: 'message.received' }] } }
  expect(planJourney(sequence(endless, message('thanks')), person, builtInPolicy, now)).toEqual([
    { stepKey: 'answer', type: 'wait', at: now, what: 'wait', reason: null },
  ])
  const everywhere = { ...person, zones: ['Asia/Tokyo', 'America/New_York'] }
  const window = { from: '09:00', to: '17:00', outside: 'hold' as const }
  expect(planJourney(sequence(message('hello')), everywhere, { ...builtInPolicy, window }, now)).toEqual([
    { stepKey: 'hello', type: 'message', at: now, what: 'hold', reason: 'no_common_window' },
  ])
})

const someStep = oneof(
  { weight: 4, arbitrary: constantFrom(message('')) },
  {
    weight: 2,
    arbitrary: integer({ min: 0, max: 3_000 }).map(
      (minutes): Step => ({ key: '', type: 'wait', for: `PT${minutes}M` }),
    ),
  },
  { weight: 1, arbitrary: someTime.map((at): Step => ({ key: '', type: 'wait', until: { at } })) },
  {
    weight: 1,
    arbitrary: integer({ min: 1, max: 7 }).map((day): Step => ({ key: '', type: 'wait', until: { weekdays: [day] } })),
  },
)
const gaps = { PT0S: 0, PT30M: hourMs / 2, PT7H: 7 * hourMs, P1D: 24 * hourMs, P3D: 72 * hourMs }
const journey = record({
  purpose: constantFrom('marketing', 'marketing', 'marketing', 'transactional'),
  steps: array(someStep, { minLength: 1, maxLength: 5 }),
  from: someTime,
  to: someTime,
  outside: constantFrom('hold', 'hold', 'skip'),
  gap: constantFrom<keyof typeof gaps>('PT0S', 'PT0S', 'PT30M', 'PT7H', 'P1D', 'P3D'),
  needsConsent: boolean(),
  consent: constantFrom(null, 'granted', 'granted', 'withdrawn'),
  barrier: constantFrom(null, null, null, null, 'suppressed', 'no_address'),
  lastSentHoursAgo: integer({ min: 0, max: 100 }),
})

test('no plan ever sends against a rule, nor later than it has to', { timeout: 120_000 }, () => {
  let sent = 0
  holds(
    property(somewhen, journey, ({ zones, now: start }, given) => {
      const isMarketing = given.purpose === 'marketing'
      const lastSentAt = new Date(start.getTime() - given.lastSentHoursAgo * hourMs)
      const plan = planJourney(
        { ...sequence(...given.steps.map((step, index) => ({ ...step, key: `${index}` }))), purpose: given.purpose },
        {
          ...person,
          zones,
          address: given.barrier === 'no_address' ? null : person.address,
          isSuppressed: given.barrier === 'suppressed',
          consent: given.consent,
          lastSentAt,
        },
        {
          ...builtInPolicy,
          window: { from: given.from, to: given.to, outside: given.outside },
          minGap: given.gap,
          consentRequired: given.needsConsent ? ['email'] : [],
        },
        start,
      )

      const isForbidden = given.consent === 'withdrawn' || (given.consent === null && given.needsConsent)
      let last = lastSentAt.getTime()
      const mayGo = (at: number) =>
        given.barrier === null &&
        (!isMarketing ||
          (!isForbidden &&
            at >= last + gaps[given.gap] &&
            zones.every((zone) => isWithin(given, timeShownAt(zone, at)))))
      for (const [index, { at, what, until, type, reason }] of plan.entries()) {
        const time = at.getTime()
        if (what === 'send') {
          if (!mayGo(time)) throw new Error(`sent against a rule at ${at.toISOString()}`)
          last = time
          sent += 1
        }
        if (what === 'skip' && mayGo(time)) throw new Error(`left out for ${reason} at ${at.toISOString()}`)
        if (type === 'message' && until && (mayGo(time) || mayGo(until.getTime() - 1) || !mayGo(until.getTime()))) {
          throw new Error(`waits from ${at.toISOString()} to ${until.toISOString()}`)
        }
        const next = plan[index + 1]
        if (next && next.at.getTime() !== (until ?? at).getTime()) throw new Error('time goes another way')
      }
      const dealtWith = plan.filter(({ type, what }) => type === 'message' && what !== 'wait')
      const isWhole = plan.at(-1)?.what === 'end'
      const messages = given.steps.filter(({ type }) => type === 'message')
      expect(isWhole || plan.at(-1)?.what === 'hold').toBe(true)
      expect(new Set(dealtWith.map(({ stepKey }) => stepKey)).size).toBe(dealtWith.length)
      if (isWhole) expect(dealtWith.length).toBe(messages.length)
    }),
    { numRuns: 100_000 },
  )
  expect(sent).toBeGreaterThan(50_000)
})
