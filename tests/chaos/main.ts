import { type Figures, readOptions, report } from '../../bench/figures.ts'
import { chaosCampaign, hasDamage as hasCampaignDamage } from './campaign.ts'
import { chaosDrip, hasDamage as hasDripDamage, hasHidden } from './drip.ts'

type Say = (line: string) => void

interface Outcome {
  title: string
  figures: Figures
  hasDamage: boolean
}

/** The command `npm run chaos -- SCENARIO [--seed N] [--json FILE]`, each of its scenarios at its whole size. */
const scenarios = { campaign, drip }

async function campaign(seed: number, say: Say): Promise<Outcome> {
  const figures = await chaosCampaign(
    {
      prospects: 500,
      searches: 9,
      kills: { search: { worker: 4, api: 6 }, analyse: { worker: 4, api: 6 }, export: { worker: 4, api: 6 } },
      lullMs: 5_000,
      latencyMs: { websites: 100, serpapi: 300, google: 400 },
    },
    seed,
    say,
  )
  return { title: 'One campaign through a storm', figures, hasDamage: hasCampaignDamage(figures) }
}

async function drip(seed: number, say: Say): Promise<Outcome> {
  const size = { contacts: 1_000, kills: { worker: 15, standIn: 37, api: 8 }, lullMs: 5_000, frozenMs: 27_000 }
  const { keysAlive, keysExpired } = await chaosDrip(size, seed, say)
  const hasDamage = hasDripDamage(keysAlive) || hasDripDamage(keysExpired) || hasHidden(keysExpired)
  return { title: 'A sequence through two storms', figures: both(keysAlive, keysExpired), hasDamage }
}

/** The sums of both; but what was unclear is told of the storm in which no repetition could clear it up, and of the other by its side. */
function both(keysAlive: Figures, keysExpired: Figures): Figures {
  const figures = Object.entries(keysExpired).map(([name, figure]): [string, number] => [
    name,
    /unclear/i.test(name) ? figure : figure + (keysAlive[name] ?? 0),
  ])
  return { ...Object.fromEntries(figures), unclearWithKeys: keysAlive.unclear ?? 0 }
}

/** Returns the exit code: 0 when nothing was lost, doubled, paid twice or left to a person. */
async function main(): Promise<number> {
  const { scenario: run, seed, json } = readOptions(process.argv.slice(2), scenarios)
  const begun = Date.now()
  const say = (line: string) => console.log(`${String(Math.round((Date.now() - begun) / 1000)).padStart(4)} s  ${line}`)
  const { title, figures, hasDamage } = await run(seed, say)
  report({ title, figures, seed, json })
  return hasDamage ? 1 : 0
}

// Without these a signal would end this process and not the system that it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
