import { array, assert, constant, constantFrom, integer, nat, oneof, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import type { CarriedCohort, Seat, SeatOutcome } from '../../../workflows/contracts/drip-sequence.ts'
import { createRoster, type Roster } from '../../../workflows/parts/roster.ts'

const all = 1_000
const due = (seat: Seat, dueAt: number): SeatOutcome => ({ seat, now: 'due', dueAt })

/** As the next run takes it over. */
function carriedOver(roster: Roster): Roster {
  const moves = { entered: {}, sent: {}, notSent: {}, ended: {} }
  const carried = { ...roster.carry(), isClosed: false, closesAt: 0, moves } satisfies CarriedCohort
  return createRoster(JSON.parse(JSON.stringify(carried)))
}

test('whoever takes a seat is due at once, once, however often and in whatever order it is told', () => {
  const roster = createRoster()
  for (const upTo of [3, 2, 5, 5, 1, Number.NaN, '9', undefined]) roster.admit(upTo, 10)
  expect(roster.take(all, 10)).toEqual([1, 2, 3, 4, 5])
  expect(roster.take(all, 10)).toEqual([])
  roster.admit(10_000, 10)
  expect(roster.counts()).toEqual({ admitted: 500, underWay: 500, atTurn: 5, held: 0, ended: 0 })
})

test('the longest due go first, and nobody before their time', () => {
  const roster = createRoster()
  roster.admit(4, 0)
  roster.settle(roster.take(all, 0), [due(1, 300), due(2, 100), due(3, 200), due(4, 900)], 0, 1)
  expect(roster.nextDueAt()).toBe(100)
  expect(roster.take(2, 500)).toEqual([2, 3])
  expect(roster.take(all, 500)).toEqual([1])
  expect(roster.nextDueAt()).toBe(900)
})

test('whoever is said to be due at a time that had come before is due a second later', () => {
  const roster = createRoster()
  roster.admit(1, 5_000)
  roster.settle(roster.take(all, 5_000), [due(1, 5_000)], 5_000, 5_001)
  expect(roster.nextDueAt()).toBe(6_000)
})

test('a look at somebody at their turn comes after it, and outweighs what was told, also that they have ended', () => {
  const roster = createRoster()
  roster.admit(4, 0)
  const seats = roster.take(all, 0)
  roster.lookAgain(1, [1, 2, 3, 4])
  roster.settle(
    seats,
    [due(1, 900), { seat: 2, now: 'held' }, { seat: 3, now: 'asleep' }, { seat: 4, now: 'ended' }],
    0,
    2,
  )
  expect(roster.counts()).toEqual({ admitted: 4, underWay: 4, atTurn: 0, held: 0, ended: 0 })
  expect(roster.take(all, 2)).toEqual([1, 2, 3, 4])
})

test('a look wakes sleepers, held ones and those who are through, never puts anybody off, and knows nobody else', () => {
  const roster = createRoster()
  roster.admit(4, 0)
  roster.settle(
    roster.take(all, 0),
    [{ seat: 1, now: 'asleep' }, { seat: 2, now: 'held' }, { seat: 3, now: 'ended' }, due(4, 50)],
    0,
    1,
  )
  roster.lookAgain(100, [1, 2, 3, 4, 5, 0, -1, 501, 1.5, '1', null])
  expect(roster.take(all, 100)).toEqual([4, 1, 2, 3])
  expect(roster.counts()).toEqual({ admitted: 4, underWay: 4, atTurn: 4, held: 0, ended: 0 })
})

test('of whom nothing, nonsense or two things are told nothing is believed', () => {
  const roster = createRoster()
  roster.admit(7, 0)
  const seats = roster.take(all, 0)
  const told = [
    { seat: 1, now: 'due' },
    { seat: 2, now: 'due', dueAt: '2026-01-01' },
    { seat: 3, now: 'gone' },
    { seat: 5, now: 'due', dueAt: Number.MAX_SAFE_INTEGER },
    { seat: 4, now: 'asleep' },
    { seat: 4, now: 'ended' },
    { seat: 6, now: 'ended' },
    { seat: 99, now: 'ended' },
    null,
    'ended',
  ]
  expect(roster.settle(seats, told, 0, 1)).toEqual([1, 2, 3, 4, 5, 7])
  expect(roster.settle([7], undefined, 0, 1)).toEqual([7])
  roster.hold([1, 2, 3, 4, 5, 7], 1)
  expect(roster.counts()).toEqual({ admitted: 7, underWay: 0, atTurn: 0, held: 6, ended: 1 })
  expect(roster.nextDueAt()).toBe(Infinity)
})

test('a cohort of people who move together is carried over in a few bytes a person', () => {
  const roster = createRoster()
  roster.admit(500, 0)
  const seats = roster.take(all, 0)
  const dueAt = Date.UTC(2030, 0, 1)
  roster.settle(
    seats,
    seats.map((seat) => due(seat, dueAt)),
    0,
    1,
  )
  expect(JSON.stringify(roster.carry()).length / 500).toBeLessThan(5)
})

test('whatever happens, everyone is under way, held or ended, nobody is at two turns, and a new run goes on the same', () => {
  const act = oneof(
    record({ kind: constant('admit'), seat: integer({ min: 0, max: 20 }) }),
    record({ kind: constant('look'), seat: integer({ min: 0, max: 20 }) }),
    record({ kind: constant('lookAtAll'), seat: constant(0) }),
    record({ kind: constant('take'), seat: integer({ min: 1, max: 6 }) }),
    record({ kind: constantFrom('due', 'asleep', 'held', 'ended'), seat: nat() }),
  )
  assert(
    property(array(act, { maxLength: 80 }), (acts) => {
      const roster = createRoster()
      const atTurn: Seat[] = []
      let now = 0
      for (const { kind, seat } of acts) {
        now += 10
        if (kind === 'admit') roster.admit(seat, now)
        else if (kind === 'look') roster.lookAgain(now, [seat])
        else if (kind === 'lookAtAll') roster.lookAgain(now)
        else if (kind === 'take') {
          const taken = roster.take(seat, now)
          expect(taken.filter((one) => atTurn.includes(one))).toEqual([])
          atTurn.push(...taken)
        } else if (atTurn.length > 0) {
          const [one = 0] = atTurn.splice(seat % atTurn.length, 1)
          roster.settle([one], [kind === 'due' ? due(one, now + 25) : { seat: one, now: kind }], now - 5, now)
        }
        const { admitted, underWay, held, ended, ...counts } = roster.counts()
        expect(underWay + held + ended).toBe(admitted)
        expect(counts.atTurn).toBe(atTurn.length)
      }
      roster.hold(atTurn, now)
      const next = carriedOver(roster)
      expect(next.counts()).toEqual(roster.counts())
      expect(next.nextDueAt()).toBe(roster.nextDueAt())
      expect(next.take(all, now + 50)).toEqual(roster.take(all, now + 50))
    }),
    { numRuns: 500 },
  )
})
