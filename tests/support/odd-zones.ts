import { constantFrom, integer, oneof, tuple, uniqueArray } from 'fast-check'
import { changesIn } from './wall-clocks.ts'

/** Zones that have something about them: clocks set at midnight, by half an hour or by two, offsets of quarters, the ends of the world. */
const oddZones = [
  'UTC',
  'America/New_York',
  'Europe/London',
  'Africa/Cairo',
  'Africa/Casablanca',
  'America/Havana',
  'America/Nuuk',
  'America/Scoresbysund',
  'America/St_Johns',
  'Antarctica/Troll',
  'Asia/Beirut',
  'Asia/Gaza',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
]

const changes = oddZones.flatMap((zone) => changesIn(zone, 2025, 2027).map((at) => ({ zone, at })))
const hourMs = 3_600_000

/** One to three zones and a moment, as often as not one around which the clocks of one of them are set. */
export const somewhen = oneof(
  tuple(
    uniqueArray(constantFrom(...oddZones), { minLength: 1, maxLength: 3 }),
    integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2027, 11, 1) }),
  ),
  tuple(
    constantFrom(...changes),
    uniqueArray(constantFrom(...oddZones), { maxLength: 2 }),
    integer({ min: -30 * hourMs, max: 6 * hourMs }),
  ).map(([{ zone, at }, others, shift]): [string[], number] => [[...new Set([zone, ...others])], at + shift]),
).map(([zones, at]) => ({ zones, now: new Date(at) }))

/** HH:MM, most of them near midnight or where clocks are set. */
export const someTime = oneof(
  integer({ min: 0, max: 1_439 }),
  integer({ min: 0, max: 240 }),
  constantFrom(0, 30, 60, 90, 120, 150, 480, 1_260, 1_380, 1_410, 1_439),
).map((minutes) => new Date(minutes * 60_000).toISOString().slice(11, 16))
