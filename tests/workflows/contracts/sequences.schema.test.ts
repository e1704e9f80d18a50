import { expect, test } from 'vitest'
import { createDocument } from 'zod-openapi'
import { SequenceDefinition } from '../../../workflows/contracts/sequences.schema.ts'

const message = { key: 'mail', type: 'message', channel: 'email', subject: 'Bread', text: 'Fresh' }
const sequence = { purpose: 'marketing', senderId: '0198c0de-0000-7000-8000-000000000001', steps: [message] }
const wait = { key: 'wait', type: 'wait' }

/** What is wrong with a sequence, each with its place. */
function problems(changes: object): string[] {
  const { error } = SequenceDefinition.safeParse({ ...sequence, ...changes })
  return (error?.issues ?? []).map(({ path, message: text }) => `${path.join('/')}: ${text}`)
}
const problemsOf = (...steps: object[]) => problems({ steps })

test('a definition of every kind of step is taken as it is', () => {
  const definition = {
    ...sequence,
    entry: 'again',
    exitOn: ['reply'],
    goal: 'custom.signed_up',
    steps: [
      { ...message, html: '<p>Fresh</p>', expiresAfter: 'P2D', next: 'morning' },
      { key: 'three-days', type: 'wait', for: 'P3D' },
      { key: 'morning', type: 'wait', until: { weekdays: [1, 2], at: '09:00' } },
      {
        key: 'answer',
        type: 'wait',
        event: {
          firstOf: [{ type: 'message.clicked', next: 'split' }, { type: 'custom.called' }],
          timeout: 'P7D',
          onTimeout: 'end',
        },
      },
      {
        key: 'split',
        type: 'branch',
        arms: [
          {
            when: [
              { property: 'plan', in: ['pro', 2] },
              { property: 'seats', atLeast: 5 },
            ],
            next: 'out',
          },
          { when: [{ event: 'message.opened', happened: false }], next: 'out' },
          { when: [{ property: 'isAgency', is: true }], next: 'out' },
          { when: [{ property: 'plan', exists: false }], next: 'out' },
        ],
        else: 'end',
      },
      { key: 'out', type: 'exit' },
    ],
  }
  expect(SequenceDefinition.parse(definition)).toEqual(definition)
})

test('what is left out is entry once, every way out, and no goal', () => {
  expect(SequenceDefinition.parse(sequence)).toMatchObject({
    entry: 'once',
    exitOn: ['reply', 'bounce', 'goal'],
    goal: null,
  })
})

test('a key stands once, and is not the end', () => {
  expect(problemsOf(message, message)).toEqual(['steps/1/key: Two steps have the key "mail".'])
  expect(problemsOf({ ...message, key: 'end' })).toEqual([
    'steps/0/key: "end" is where a sequence ends: give the step another key.',
  ])
  expect(problemsOf({ ...message, key: 'First mail' })).toEqual([
    'steps/0/key: Give a key of small letters, digits and -, at most 63 of them.',
  ])
})

test('every way leads to a later step or to the end', () => {
  const branch = { key: 'split', type: 'branch', arms: [{ when: [{ property: 'plan', is: 'pro' }], next: 'mail' }] }
  const event = { firstOf: [{ type: 'message.received', next: 'wait' }], timeout: 'P1D', onTimeout: 'split' }
  expect(
    problemsOf(message, { ...wait, event }, { ...branch, else: 'gone' }, { ...message, key: 'last', next: 'end' }),
  ).toEqual([
    'steps/1/event/firstOf/0/next: "wait" does not stand behind "wait": a sequence only goes forward. Give a later step or "end".',
    'steps/2/arms/0/next: "mail" does not stand behind "split": a sequence only goes forward. Give a later step or "end".',
    'steps/2/else: No step has the key "gone": give that of a later step or "end".',
  ])
})

test('a wait takes exactly one of three', () => {
  const one = 'steps/0: A wait takes exactly one of for, until and event.'
  expect(problemsOf(wait)).toEqual([one])
  expect(problemsOf({ ...wait, for: 'P1D', until: { at: '09:00' } })).toEqual([one])
  expect(problemsOf({ ...wait, until: {} })).toEqual(['steps/0/until: Give weekdays, at or both.'])
  expect(problemsOf({ ...wait, until: { weekdays: [1, 1] } })).toEqual(['steps/0/until/weekdays: Name each day once.'])
  expect(problemsOf({ ...wait, until: { at: '24:00' } })).toEqual([
    'steps/0/until/at: Give a time of day as HH:MM, from 00:00 to 23:59.',
  ])
  expect(problemsOf({ ...wait, event: { firstOf: [{ type: 'custom.called' }], onTimeout: 'end' } })).toHaveLength(1)
})

test('a duration is of a fixed length and at most 400 days', () => {
  expect(problemsOf({ ...wait, for: 'P1M' })).toEqual([
    'steps/0/for: Give an ISO 8601 duration such as P3D or PT90M: years and months have no fixed length.',
  ])
  expect(problemsOf({ ...wait, for: 'P400D' })).toEqual([])
  expect(problemsOf({ ...wait, for: 'P400DT1S' })).toEqual(['steps/0/for: Give at most 400 days.'])
  expect(problemsOf({ ...message, expiresAfter: '2 days' })).toHaveLength(1)
})

test.each(['custom.', 'custom.Signed up', 'message.seen', 'signed_up'])('"%s" is no event', (goal) => {
  expect(problems({ goal })).toEqual([
    'goal: Give a type of your own such as custom.signed_up, or one of ours: consent.granted, consent.withdrawn, suppression.added, suppression.lifted, message.resolved, message.delivered, message.bounced, message.complained, message.opened, message.clicked, message.received, message.auto_replied.',
  ])
})

test.each([
  ['contact.updated'],
  ['enrolment.started'],
  ['enrolment.exited'],
  ['enrolment.held'],
  ['message.sent'],
  ['message.skipped'],
  ['message.unconfirmed'],
  ['message.rejected'],
])('nobody waits for %s, which wakes nobody', (type) => {
  expect(problemsOf({ ...wait, event: { firstOf: [{ type }] } })).toEqual([
    expect.stringMatching(/^steps\/0\/event\/firstOf\/0\/type: .*one of ours: consent.granted/),
  ])
})

const shape = ': Give a property with one of exists, is, in, or atLeast and atMost; or an event with happened.'
test.each([
  [{ property: 'plan' }, ': Say what must be known of the property: exists, is, in, atLeast or atMost.'],
  [{ property: 'seats', atLeast: 2, atMost: 1 }, ': No number is at least the one and at most the other.'],
  [{ property: 'plan', is: 'pro', exists: true }, shape],
  [{ property: 'plan', in: [] }, shape],
  [{ event: 'custom.called' }, shape],
  [{ event: 'called', happened: true }, '/event: Give a type of your own such as custom.signed_up'],
])('%j is no condition, and the answer says what is', (condition, problem) => {
  const split = { key: 'split', type: 'branch', arms: [{ when: [condition], next: 'end' }], else: 'end' }
  const [told, ...more] = problemsOf(split)
  expect(told).toContain(`steps/0/arms/0/when/0${problem}`)
  expect(more).toEqual([])
})

test('there is at least one step, at most a hundred, and nothing that is not understood', () => {
  expect(problems({ steps: [] })).toHaveLength(1)
  const many = (count: number) => Array.from({ length: count }, (_, index) => ({ ...message, key: `m${index}` }))
  expect(problems({ steps: many(100) })).toEqual([])
  expect(problems({ steps: many(101) })).toHaveLength(1)
  expect(problems({ speed: 'high' })).toHaveLength(1)
  expect(problemsOf({ ...message, wait: 'P1D' })).toHaveLength(1)
  expect(problemsOf({ key: 'call', type: 'call' })).toEqual([
    'steps/0/type: Give a type: message, wait, branch or exit.',
  ])
})

test('a definition is at most half a megabyte, in bytes', () => {
  const ofLength = (count: number) =>
    [1, 2, 3].map((part) => ({ ...message, key: `m${part}`, html: 'é'.repeat(count) }))
  expect(problems({ steps: ofLength(80_000) })).toEqual([])
  expect(problems({ steps: ofLength(100_000) })).toEqual([
    ': A definition takes at most 512000 bytes as JSON: shorten its templates.',
  ])
})

test('it can be shown in an OpenAPI document', () => {
  const content = { 'application/json': { schema: SequenceDefinition } }
  const document = createDocument({
    openapi: '3.1.0',
    info: { title: 'sequences', version: '1' },
    paths: { '/sequences': { post: { requestBody: { content }, responses: { 200: { description: 'ok', content } } } } },
  })
  expect(Object.keys(document.components?.schemas ?? {})).toContain('SequenceStep')
})

test('a message that would have expired before it could be sent is refused', () => {
  expect(problemsOf({ ...message, expiresAfter: 'PT10S' })).toEqual([
    'steps/0/expiresAfter: Give more than 10 seconds.',
  ])
  expect(problemsOf({ ...message, expiresAfter: 'PT11S' })).toEqual([])
})
