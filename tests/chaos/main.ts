import { readOptions, report } from '../../bench/figures.ts'
import { type ChaosSize, chaosCampaign, hasDamage } from './campaign.ts'

const wholeSize: ChaosSize = {
  prospects: 500,
  searches: 9,
  kills: { search: { worker: 4, api: 6 }, analyse: { worker: 4, api: 6 }, export: { worker: 4, api: 6 } },
  lullMs: 5_000,
  latencyMs: { websites: 100, serpapi: 300, google: 400 },
}

/** `npm run chaos -- campaign [--seed N] [--json FILE]`. Returns the exit code: 0 when nothing was lost, doubled, paid twice or left to a person. */
async function main(): Promise<number> {
  const { scenario: size, seed, json } = readOptions(process.argv.slice(2), { campaign: wholeSize })
  const begun = Date.now()
  const say = (line: string) => console.log(`${String(Math.round((Date.now() - begun) / 1000)).padStart(4)} s  ${line}`)
  const figures = await chaosCampaign(size, seed, say)
  report({ title: 'One campaign through a storm', figures, seed, json })
  return hasDamage(figures) ? 1 : 0
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
