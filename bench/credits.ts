import { randomUUID } from 'node:crypto'
import { connectDatabase, connectSystem, type Database, type Tx } from '../db/client.ts'
import { burnUse } from '../db/credit-ledger.ts'
import { grantCredits } from '../db/credits.ts'
import { createOrganisation } from '../db/organisations.ts'
import { type Figures, median } from './figures.ts'
import { bootSystem, type MeasuredSystem } from './system.ts'

const balances = 1_000
const concurrency = 20
const rounds = 3
const burns = 5_000
const warmUp = 1_000
const credits = 1_000_000_000

type Burn = (tx: Tx, type: string) => Promise<unknown>

/**
 * Burns of one credit each: all on one balance, and spread over a thousand; in turns with a bare update of such a row. Both sides have the same pool and
 * the same shape of a transaction: begin, set_config, the work, commit.
 */
export async function measureCredits({ say }: { seed: number; say: (line: string) => void }): Promise<{
  title: string
  figures: Figures
}> {
  say('Booting a system of its own ...')
  await using system = await bootSystem()
  const ours = await prepare(system)
  // What a bare update leaves is no ledger: it has an organisation of its own.
  const bare = await prepare(system)
  const types = ours.types
  const one = types.slice(0, 1)
  for (const half of [ours, bare]) await burnMany(half, half === ours ? burn : update, types, warmUp)

  const found: Record<'hot' | 'bareHot' | 'spread' | 'bareSpread', number[]> = {
    hot: [],
    bareHot: [],
    spread: [],
    bareSpread: [],
  }
  for (let round = 1; round <= rounds; round += 1) {
    found.bareHot.push(await burnMany(bare, update, one, burns))
    found.hot.push(await burnMany(ours, burn, one, burns))
    found.bareSpread.push(await burnMany(bare, update, types, burns))
    found.spread.push(await burnMany(ours, burn, types, burns))
    say(
      `  ${Object.entries(found)
        .map(([name, figures]) => `${name} ${figures.at(-1)?.toFixed(0)}/s`)
        .join(', ')}`,
    )
  }
  for (const half of [ours, bare]) await half.database.close()

  const [hot, bareHot, spread, bareSpread] = [
    median(found.hot),
    median(found.bareHot),
    median(found.spread),
    median(found.bareSpread),
  ]
  return {
    title: `Burns of one credit, ${concurrency} at a time, on one balance and over ${balances}`,
    figures: {
      burnsPerSecond: hot,
      bareBurnsPerSecond: bareHot,
      ratio: hot / bareHot,
      burnsPerSecondSpread: spread,
      bareBurnsPerSecondSpread: bareSpread,
      ratioSpread: spread / bareSpread,
    },
  }
}

interface Half {
  database: Database
  organisationId: string
  types: string[]
}

async function prepare({ logins }: MeasuredSystem): Promise<Half> {
  const system = connectSystem(logins.systemUrl, { name: 'bench', poolSize: 1 })
  const { id: organisationId } = await createOrganisation(system, 'Bench', 'US')
  await system.end()
  const database = connectDatabase(logins.appUrl, { name: 'bench', poolSize: concurrency })
  const types = Array.from({ length: balances }, (_, index) => `type_${index}`)
  await database.as(organisationId, async (tx) => {
    for (const type of types) {
      const grant = { type, amount: credits, sourceKey: `bench/${type}`, source: 'plan', beginsPeriod: true } as const
      await grantCredits(tx, grant, new Date())
    }
  })
  return { database, organisationId, types }
}

/** What `POST /usage` does: once under its key. */
const burn: Burn = (tx, type) => burnUse(tx, { type, amount: 1, key: randomUUID() }, new Date())

const update: Burn = (tx, type) =>
  tx`update credit_accounts set balance = balance - 1 where type = ${type} and balance >= 1 returning balance`

/** How many a second. */
async function burnMany(
  { database, organisationId }: Half,
  work: Burn,
  types: string[],
  count: number,
): Promise<number> {
  let next = 0
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < count) {
        const type = types[next % types.length] ?? ''
        next += 1
        await database.as(organisationId, (tx) => work(tx, type))
      }
    }),
  )
  return count / ((performance.now() - begun) / 1000)
}
