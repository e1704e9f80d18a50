import { assert, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../workflows/rules/durations.ts'

test.each([
  ['P7D', 604_800_000],
  ['P1W', 604_800_000],
  ['PT1H30M', 5_400_000],
  ['P1DT1S', 86_401_000],
  ['PT0S', 0],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', 'P', 'PT', 'P1DT', '7D', 'P1M', 'P1Y', 'P1.5D', 'P-1D', 'PT1M1H', 'p7d', 'P1W1D', ' P7D'])(
  '"%s" is no duration of a fixed length',
  (text) => {
    expect(parseDuration(text)).toBeNull()
  },
)

test('what is written is read as it was, to the second', () => {
  assert(
    property(integer({ min: 0, max: 10 ** 8 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds * 1000))).toBe(seconds * 1000)
    }),
  )
})
