import { assert as holds, integer, option, property, uniqueArray } from 'fast-check'
import { expect, test } from 'vitest'
import type { LocalMoment } from '../../../workflows/contracts/sequences.ts'
import { momentAfter } from '../../../workflows/rules/local-moments.ts'
import { someTime, somewhen } from '../../support/odd-zones.ts'
import { shownAt } from '../../support/wall-clocks.ts'

const after = (moment: LocalMoment, zones: string | string[], from: string) =>
  momentAfter(moment, [zones].flat(), new Date(from)).toISOString().slice(0, 16)

test('it is the next such time, never the one that is now', () => {
  expect(after({ at: '09:00' }, 'Europe/Vienna', '2026-06-01T06:59:59.999Z')).toBe('2026-06-01T07:00')
  expect(after({ at: '09:00' }, 'Europe/Vienna', '2026-06-01T07:00:00Z')).toBe('2026-06-02T07:00')
})

test('it is on one of the days, at midnight where no time is given', () => {
  // 1 June 2026 is a Monday.
  expect(after({ weekdays: [1] }, 'Europe/Vienna', '2026-06-01T10:00:00Z')).toBe('2026-06-07T22:00')
  expect(after({ weekdays: [6, 7], at: '10:30' }, 'UTC', '2026-06-01T10:00:00Z')).toBe('2026-06-06T10:30')
  expect(after({ weekdays: [1], at: '12:00' }, 'UTC', '2026-06-01T10:00:00Z')).toBe('2026-06-01T12:00')
})

test('nobody is early who may be in several zones', () => {
  const zones = ['America/New_York', 'America/Los_Angeles']
  expect(after({ at: '09:00' }, zones, '2026-06-01T10:00:00Z')).toBe('2026-06-01T16:00')
})

test('a time that is left out is the end of the gap, one that is shown twice the first', () => {
  expect(after({ at: '02:30' }, 'America/New_York', '2026-03-08T06:00:00Z')).toBe('2026-03-08T07:00')
  expect(after({ at: '01:30' }, 'America/New_York', '2026-11-01T04:00:00Z')).toBe('2026-11-01T05:30')
  expect(after({ at: '01:30' }, 'America/New_York', '2026-11-01T05:30:00Z')).toBe('2026-11-02T06:30')
})

test('it is when clocks first pass that time, in the zone in which they do so last', () => {
  const minuteMs = 60_000
  const dayMs = 24 * 60 * minuteMs
  const weekdays = option(uniqueArray(integer({ min: 1, max: 7 }), { minLength: 1 }), { nil: undefined })

  /** Reads the clocks minute by minute; what they have shown before a fold they do not show for the first time. */
  function firstPass(zone: string, at: string, days: number[] | undefined, from: Date): number {
    let furthest = -Infinity
    for (let minute = Math.floor(from.getTime() / minuteMs) * minuteMs - 2 * dayMs; ; minute += minuteMs) {
      const shown = shownAt(zone, minute).getTime()
      const passed = [shown - dayMs, shown]
        .map((local) => Date.parse(`${new Date(local).toISOString().slice(0, 10)}T${at}Z`))
        .filter((time) => furthest < time && time <= shown)
        .some((time) => days === undefined || days.includes(new Date(time).getUTCDay() || 7))
      if (passed && minute > from.getTime()) return minute
      furthest = Math.max(furthest, shown)
    }
  }

  holds(
    property(somewhen, someTime, weekdays, ({ zones, now }, at, days) => {
      const expected = Math.max(...zones.map((zone) => firstPass(zone, at, days, now)))
      expect(momentAfter({ at, weekdays: days }, zones, now).getTime()).toBe(expected)
    }),
    { numRuns: 100 },
  )
})
