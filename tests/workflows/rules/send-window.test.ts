import { assert as holds, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import { nextAllowed } from '../../../workflows/rules/send-window.ts'
import { someTime, somewhen } from '../../support/odd-zones.ts'
import { isWithin, timeShownAt } from '../../support/wall-clocks.ts'

const office = { from: '08:00', to: '21:00', outside: 'hold' } as const
const next = (zones: string | string[], from: string, window: { from: string; to: string } = office) => {
  const opening = nextAllowed({ ...window, outside: 'hold' }, [zones].flat(), new Date(from))
  return opening && { at: opening.at.toISOString().replace(/(:00)?\.000Z$/, 'Z'), zone: opening.zone }
}

test('within the window it is now, and nobody holds it back', () => {
  expect(next('America/Chicago', '2026-06-01T13:00:00.000Z')).toEqual({ at: '2026-06-01T13:00Z', zone: null })
  expect(next('America/Chicago', '2026-06-02T01:59:59.999Z')).toEqual({ at: '2026-06-02T01:59:59.999Z', zone: null })
})

test('outside of it, it is when the window opens; its end is outside', () => {
  const morning = { at: '2026-06-02T13:00Z', zone: 'America/Chicago' }
  expect(next('America/Chicago', '2026-06-02T02:00:00Z')).toEqual(morning)
  expect(next('America/Chicago', '2026-06-02T12:59:59.999Z')).toEqual(morning)
})

test('with several zones it is open in all, and the one that opens last holds it back', () => {
  const zones = ['America/Los_Angeles', 'America/Chicago', 'America/New_York']
  expect(next(zones, '2026-06-01T12:00:00Z')).toEqual({ at: '2026-06-01T15:00Z', zone: 'America/Los_Angeles' })
  expect(next(zones, '2026-06-02T01:00:00Z')).toEqual({ at: '2026-06-02T15:00Z', zone: 'America/Los_Angeles' })
})

test('zones without a common hour have no answer', () => {
  expect(
    next(['Pacific/Kiritimati', 'Pacific/Pago_Pago'], '2026-06-01T12:00:00Z', { from: '09:00', to: '10:00' }),
  ).toBe(null)
  expect(next(['Asia/Tokyo', 'America/New_York'], '2026-06-01T12:00:00Z', { from: '09:00', to: '17:00' })).toBe(null)
})

test('a window may run over midnight, and the same time twice is the whole day', () => {
  const night = { from: '22:00', to: '02:00' }
  expect(next('UTC', '2026-06-01T01:59:00Z', night)).toEqual({ at: '2026-06-01T01:59Z', zone: null })
  expect(next('UTC', '2026-06-01T02:00:00Z', night)).toEqual({ at: '2026-06-01T22:00Z', zone: 'UTC' })
  expect(next('Asia/Beirut', '2026-03-28T22:00:00Z', { from: '05:00', to: '05:00' })?.zone).toBe(null)
})

test('a window that opens at a time which is left out opens when the clocks go on', () => {
  // 02:00 is 03:00 in New York on that day.
  const early = { from: '02:30', to: '04:00' }
  expect(next('America/New_York', '2026-03-08T06:00:00Z', early)?.at).toBe('2026-03-08T07:00Z')
  // Midnight is one o'clock in Beirut.
  expect(next('Asia/Beirut', '2026-03-28T21:00:00Z', { from: '00:00', to: '06:00' })?.at).toBe('2026-03-28T22:00Z')
  // A window that is left out as a whole opens on the next day.
  expect(next('America/New_York', '2026-03-08T06:00:00Z', { from: '02:10', to: '02:50' })?.at).toBe('2026-03-09T06:10Z')
})

test('a time that clocks show twice counts twice', () => {
  const window = { from: '01:30', to: '01:45' }
  expect(next('America/New_York', '2026-11-01T05:00:00Z', window)?.at).toBe('2026-11-01T05:30Z')
  expect(next('America/New_York', '2026-11-01T05:45:00Z', window)?.at).toBe('2026-11-01T06:30Z')
})

test('it is the first minute that clocks show within the window in all zones', () => {
  const minuteMs = 60_000
  const days = 8
  holds(
    property(somewhen, record({ from: someTime, to: someTime }), ({ zones, now }, window) => {
      const isOpen = (at: number) => zones.every((zone) => isWithin(window, timeShownAt(zone, at)))
      const last = now.getTime() + days * 24 * 60 * minuteMs
      let first = now.getTime()
      while (first <= last && !isOpen(first)) first = (Math.floor(first / minuteMs) + 1) * minuteMs
      const opening = nextAllowed({ ...window, outside: 'hold' }, zones, now)
      expect(opening?.at.getTime() ?? null).toBe(first <= last ? first : null)
      expect(opening === null || (opening.zone === null) === (first === now.getTime())).toBe(true)
    }),
    { numRuns: 300 },
  )
})
