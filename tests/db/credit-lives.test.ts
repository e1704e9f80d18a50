import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Tx } from '../../db/client.ts'
import { burnUse } from '../../db/credit-ledger.ts'
import { creditBalances } from '../../db/credit-lists.ts'
import { releaseReservation, reserveCredits, settleReservation } from '../../db/credit-reservations.ts'
import { clawBack, endGrant, giveBackClawed } from '../../db/credit-returns.ts'
import { grantCredits } from '../../db/credits.ts'
import { saveMeteredTypes } from '../../db/metered-usage.ts'
import { createOrganisation } from '../../db/organisations.ts'
import { balancesIn } from '../support/billing-ends.ts'
import { creditModel } from '../support/credit-model.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, system } = await testOrganisation()

const noon = new Date('2026-11-21T12:00:00Z')
const hour = 3_600_000
const hoursOn = (hours: number) => new Date(noon.getTime() + hours * hour)
const type = 'calls'

let made = 0
const keyOf = (what: string) => `${what}/${(made += 1)}`

const act = fc.constantFrom('a', 'b', 'c', 'd')
const amount = fc.integer({ min: 1, max: 120 })
const command = fc.oneof(
  fc.record({
    do: fc.constant('grant' as const),
    key: fc.constantFrom('g1', 'g2', 'g3', 'g4', 'g5', 'g6'),
    amount,
    priority: fc.integer({ min: 1, max: 3 }),
    isPurchased: fc.boolean(),
    lasts: fc.option(fc.integer({ min: 1, max: 40 })),
    most: fc.integer({ min: 0, max: 60 }),
  }),
  fc.record({ do: fc.constant('burn' as const), amount }),
  fc.record({ do: fc.constant('meter' as const), isOn: fc.boolean() }),
  fc.record({
    do: fc.constant('reserve' as const),
    act,
    amount: fc.constantFrom(7, 30, 90),
    lasts: fc.integer({ min: 1, max: 20 }),
  }),
  fc.record({ do: fc.constant('settle' as const), act, amount }),
  fc.record({ do: fc.constant('release' as const), act }),
  fc.record({ do: fc.constant('clawBack' as const), key: fc.constantFrom('g1', 'g2', 'g3'), amount }),
  fc.record({ do: fc.constant('giveBack' as const), key: fc.constantFrom('g1', 'g2', 'g3'), amount }),
  fc.record({ do: fc.constant('end' as const), key: fc.constantFrom('g1', 'g4') }),
  fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 15 }) }),
)

type Command = typeof command extends fc.Arbitrary<infer C> ? C : never

/** What the one kept in memory answers. */
function inModel(model: ReturnType<typeof creditModel>, one: Command, hours: number) {
  switch (one.do) {
    case 'grant': {
      const { key, amount: remaining, priority, isPurchased } = one
      return model.grant({ key, remaining, priority, isPurchased, ...termsOf(one, hours) }, hours)
    }
    case 'burn':
      return model.burn(one.amount, hours)
    case 'meter':
      return model.meter(one.isOn)
    case 'reserve':
      return model.reserve(one.act, one.amount, hours + one.lasts, hours)
    case 'settle':
      return model.settle(one.act, one.amount, hours)
    case 'release':
      return model.release(one.act, hours)
    case 'clawBack':
      return model.clawBack(one.key, one.amount, hours)
    case 'giveBack':
      return model.giveBackClawed(one.key, one.amount, hours)
    case 'end':
      return model.end(one.key, hours)
    case 'wait':
      return undefined
  }
}

function termsOf({ lasts, most }: Extract<Command, { do: 'grant' }>, hours: number) {
  const expiresAt = lasts === null ? null : hours + lasts
  return { expiresAt, rollsOver: expiresAt === null || most === 0 ? null : { most, until: expiresAt + 10 } }
}

/** What the ledger does, and answers in the same words. */
async function inRows(tx: Tx, one: Command, hours: number): Promise<string | number | boolean | null> {
  const now = hoursOn(hours)
  switch (one.do) {
    case 'grant': {
      const { key: sourceKey, amount: granted, priority, isPurchased } = one
      const { expiresAt, rollsOver } = termsOf(one, hours)
      await grantCredits(
        tx,
        {
          type,
          source: isPurchased ? 'purchase' : 'plan',
          sourceKey,
          amount: granted,
          priority,
          expiresAt: expiresAt === null ? null : hoursOn(expiresAt),
          rollsOver: rollsOver && { most: rollsOver.most, until: hoursOn(rollsOver.until) },
          beginsPeriod: false,
        },
        now,
      )
      return null
    }
    case 'burn': {
      const { is, metered } = await burnUse(tx, { type, amount: one.amount, key: keyOf('burn') }, now)
      return is === 'taken' ? metered : null
    }
    case 'meter':
      await saveMeteredTypes(tx, one.isOn ? [{ type, event: 'calls' }] : [], now)
      return null
    case 'reserve': {
      const reservation = { type, amount: one.amount, actKey: one.act, lastsMs: one.lasts * hour }
      return (await reserveCredits(tx, reservation, now)).is
    }
    case 'settle':
      return (await settleReservation(tx, one.act, one.amount, now)).is
    case 'release':
      return releaseReservation(tx, one.act, now)
    case 'clawBack':
      return (await clawBack(tx, returnedBy(one), now)).is === 'taken'
    case 'giveBack':
      return (await giveBackClawed(tx, returnedBy(one), now)).is === 'given'
    case 'end':
      return endGrant(tx, one.key, now)
    case 'wait':
      break
  }
  return null
}

const returnedBy = (one: { do: string; key: string; amount: number }) => ({
  grantKey: one.key,
  amount: one.amount,
  sourceKey: keyOf(one.do),
})

/** An organisation's ledger beside one kept in memory. */
async function twoLedgers() {
  const { id } = await createOrganisation(system, 'Ledger', 'US')
  const own = <T>(work: (tx: Tx) => Promise<T>) => database.as(id, work)
  const model = creditModel()

  /** Does it to both, and holds what they answer to be the same. */
  async function run(one: Command, hours: number): Promise<void> {
    const answer = await own((tx) => inRows(tx, one, hours))
    expect(answer).toBe(inModel(model, one, hours) ?? null)
  }

  async function compare(hours: number): Promise<void> {
    await own((tx) => creditBalances(tx, hoursOn(hours))) // a look, which writes down what has expired
    const [used] = await own((tx) => tx<{ all: number }[]>`select coalesce(sum(metered), 0)::bigint as all from usage`)
    expect(used?.all).toBe(model.metered())
    const expected = model.balance(hours)
    for (const { cached, granted, summed } of await own(balancesIn))
      expect([cached, granted, summed]).toEqual([expected, expected, expected])
    const rows = await own(
      (tx) => tx<{ key: string; remaining: number; summed: number }[]>`
        select original.source_key as key, sum(family.remaining)::bigint as remaining, sum((
          select coalesce(sum(amount), 0) from credit_entries where grant_id = family.id
        ))::bigint as summed
        from credit_grants as original join credit_grants as family on family.id = original.id or family.rolled_from = original.id
        where original.rolled_from is null group by original.source_key`,
    )
    expect(Object.fromEntries(rows.map(({ key, remaining }) => [key, remaining]))).toEqual(model.remaining())
    for (const { remaining, summed } of rows) expect(summed).toBe(remaining)
  }
  return { run, compare }
}

/** Does all of it to both, and looks at what has come of it each time, or once long after. */
async function live(commands: Command[], { looksEachTime }: { looksEachTime: boolean }): Promise<void> {
  const ledgers = await twoLedgers()
  let hours = 0
  for (const one of commands) {
    if (one.do === 'wait') hours += one.hours
    else await ledgers.run(one, hours)
    if (looksEachTime) await ledgers.compare(hours)
  }
  await ledgers.compare(hours + 100)
}

test('whatever happens in whatever order, each grant has what one would keep in one’s head, and balances are sums', async () => {
  const life = fc.array(command, { minLength: 5, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(life, (commands) => live(commands, { looksEachTime: true })),
    { numRuns: 60 },
  )
})

test('what is taken and given back, whatever came or expired meanwhile, is as if it never was', () => {
  // Nothing else is owed: of what is, nobody could tell who paid for what.
  const before = command.filter(({ do: what }) => what !== 'clawBack' && what !== 'giveBack' && what !== 'settle')
  const meanwhile = command.filter((one) => one.do === 'grant' || one.do === 'wait')
  const lives = fc.tuple(fc.array(before, { minLength: 5, maxLength: 30 }), fc.array(meanwhile, { maxLength: 8 }))
  fc.assert(
    fc.property(lives, fc.constantFrom('g1', 'g2', 'g3'), ([earlier, later], key) => {
      const taken = creditModel()
      const untouched = creditModel()
      let hours = 0
      const both = (all: Command[]) => {
        for (const one of all) {
          // No two grants are of the same moment.
          hours += one.do === 'wait' ? one.hours : 0.001
          for (const model of [taken, untouched]) inModel(model, one, hours)
        }
      }
      both(earlier)
      taken.clawBack(key, 100, hours)
      both(later)
      taken.giveBackClawed(key, 100, hours)
      expect(taken.balance(hours)).toBe(untouched.balance(hours))
      expect(taken.remaining()).toEqual(untouched.remaining())
    }),
    { numRuns: 2_000 },
  )
})

test('a balance does not depend on who looked at it when', async () => {
  const life = fc.array(command, { minLength: 5, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(life, (commands) => live(commands, { looksEachTime: false })),
    { numRuns: 60 },
  )
})
