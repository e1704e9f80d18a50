import { expect, test } from 'vitest'
import { builtInPolicy, type SendingPolicy } from '../../../workflows/contracts/sending.ts'
import { decideSend, type Recipient, type SendAct, type SendDecision } from '../../../workflows/rules/send-decision.ts'

const noon = new Date('2026-06-01T12:00:00Z')
const midnight = new Date('2026-06-01T00:00:00Z')
const act: SendAct = { purpose: 'marketing', channel: 'email', arrivedAt: midnight, now: noon }
const person: Recipient = {
  address: 'a@bakery.test',
  zones: ['UTC'],
  isSuppressed: false,
  consent: null,
  lastSentAt: null,
}
const decide = (changes: Partial<SendAct & Recipient> = {}, policy: Partial<SendingPolicy> = {}): SendDecision =>
  decideSend({ ...act, ...changes }, { ...person, ...changes }, { ...builtInPolicy, ...policy })
const skipped = (reason: string) => ({ do: 'skip', reason })
const daily = { minGap: 'P1D' }
const anHourAgo = new Date('2026-06-01T11:00:00Z')

test('a message that nothing stands against is sent', () => {
  expect(decide()).toEqual({ do: 'send' })
})

test('who has no address, or may not be written to, is left out whatever the time', () => {
  const atNight = { now: midnight }
  expect(decide({ ...atNight, address: null, isSuppressed: true })).toEqual(skipped('no_address'))
  expect(decide({ ...atNight, isSuppressed: true, consent: 'withdrawn' })).toEqual(skipped('suppressed'))
  expect(decide({ ...atNight, consent: 'withdrawn', expiresAfter: 'PT0S' })).toEqual(skipped('no_consent'))
})

test('a consent that was never given is missed only where the policy asks for one', () => {
  expect(decide({}, { consentRequired: ['sms'] })).toEqual({ do: 'send' })
  expect(decide({}, { consentRequired: ['email'] })).toEqual(skipped('no_consent'))
  expect(decide({ consent: 'granted' }, { consentRequired: ['email'] })).toEqual({ do: 'send' })
})

test('what comes too late to be worth it is left out', () => {
  expect(decide({ expiresAfter: 'PT12H' })).toEqual({ do: 'send' })
  expect(decide({ expiresAfter: 'PT11H59M' })).toEqual(skipped('expired'))
})

test('outside of the window it waits until it opens, or is left out, as the policy has it', () => {
  const opens = new Date('2026-06-01T08:00:00Z')
  expect(decide({ now: midnight })).toEqual({ do: 'defer', reason: 'outside_window', until: opens, zone: 'UTC' })
  const skip = { window: { ...builtInPolicy.window, outside: 'skip' as const } }
  expect(decide({ now: midnight }, skip)).toEqual(skipped('outside_window'))
  expect(decide({}, skip)).toEqual({ do: 'send' })
})

test('it keeps its distance from the last one, and then the window', () => {
  const tomorrow = new Date('2026-06-02T11:00:00Z')
  expect(decide({ lastSentAt: anHourAgo }, daily)).toEqual({
    do: 'defer',
    reason: 'min_gap',
    until: tomorrow,
    zone: null,
  })
  expect(decide({ lastSentAt: anHourAgo, now: tomorrow }, daily)).toEqual({ do: 'send' })
  expect(decide({ lastSentAt: anHourAgo }, { minGap: 'PT12H' })).toEqual({
    do: 'defer',
    reason: 'outside_window',
    until: new Date('2026-06-02T08:00:00Z'),
    zone: 'UTC',
  })
})

test('without a gap a last message from a clock that is ahead holds nobody back', () => {
  expect(decide({ lastSentAt: new Date(noon.getTime() + 50) })).toEqual({ do: 'send' })
})

test('where no hour is common to all zones it is held', () => {
  const window = { from: '09:00', to: '17:00', outside: 'skip' as const }
  expect(decide({ zones: ['Asia/Tokyo', 'America/New_York'] }, { window })).toEqual({
    do: 'hold',
    reason: 'no_common_window',
  })
})

test('a notice waits for nothing, but goes to no suppressed address', () => {
  const notice = { purpose: 'transactional', now: midnight, consent: 'withdrawn', lastSentAt: midnight } as const
  expect(decide(notice, { ...daily, consentRequired: ['email'] })).toEqual({ do: 'send' })
  expect(decide({ ...notice, isSuppressed: true })).toEqual(skipped('suppressed'))
  expect(decide({ ...notice, expiresAfter: 'PT1H', now: noon })).toEqual(skipped('expired'))
})
