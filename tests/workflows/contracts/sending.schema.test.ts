import { expect, test } from 'vitest'
import { SendingPolicyChange } from '../../../workflows/contracts/sending.schema.ts'
import { builtInPolicy, type SendingPolicy } from '../../../workflows/contracts/sending.ts'

const changed = (change: unknown): SendingPolicy => ({ ...builtInPolicy, ...SendingPolicyChange.parse(change) })
const problems = (change: unknown) =>
  (SendingPolicyChange.safeParse(change).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('/')}: ${message}`,
  )

test('what is left out of a change stays as it is', () => {
  expect(changed({})).toEqual(builtInPolicy)
  expect(changed({ minGap: 'P1D' })).toEqual({ ...builtInPolicy, minGap: 'P1D' })
  expect(changed({ window: { from: '22:00', to: '06:00' } }).window).toEqual({
    from: '22:00',
    to: '06:00',
    outside: 'hold',
  })
})

test('what cannot be meant is refused', () => {
  expect(problems({ window: { from: '8:00', to: '21:00' } })).toEqual([
    'window/from: Give a time of day as HH:MM, from 00:00 to 23:59.',
  ])
  expect(problems({ window: { from: '08:00' } })).toHaveLength(1)
  expect(problems({ minGap: 'P1M' })).toHaveLength(1)
  expect(problems({ minGap: 'P91D' })).toEqual(['minGap: Give at most 90 days.'])
  expect(problems({ unconfirmedAfter: 'P31D' })).toEqual(['unconfirmedAfter: Give at most 30 days.'])
  expect(problems({ consentRequired: ['email', 'email'] })).toEqual(['consentRequired: Name each channel once.'])
  expect(problems({ consentRequired: ['fax'] })).toHaveLength(1)
  expect(problems({ quiet: true })).toHaveLength(1)
})
