import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { readingLanes } from '../workflows/parts/lanes.ts'
import { type Figures, median } from './figures.ts'
import { peakMemoryMb } from './process-costs.ts'
import { bootSystem, type MeasuredSystem } from './system.ts'
import { type CampaignRun, parts, runCampaign } from './throughline-campaign.ts'

const prospects = 1_000
const rounds = 3
/** Read by each half before its clock starts, so that neither pays for compilers and pools that are still cold. */
const warmUp = 200
const latencyMs = 20

const BareRun = z.object({ seconds: z.number(), cpuSeconds: z.number(), peakMemoryMb: z.number() })
type BareRun = z.infer<typeof BareRun>

/** A campaign over websites of real size, in turns with a bare loop over the same ones. Figures of several rounds are medians. */
export async function measureCampaign({
  seed,
  say,
}: {
  seed: number
  say: (line: string) => void
}): Promise<{ title: string; figures: Figures }> {
  say('Booting a system of its own ...')
  await using system = await bootSystem()
  await system.slowSitesDown(latencyMs)
  const first = websitesOf(`${seed}-first`, warmUp)
  await runCampaign(system, first)

  const bare: (BareRun & { pages: number })[] = []
  const ours: (CampaignRun & { pages: number })[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const websites = websitesOf(`${seed}-${round}`, prospects)
    bare.push(await countingPages('bare', websites, () => runBare(system, first, websites)))
    ours.push(await countingPages('throughline', websites, () => runCampaign(system, websites)))
  }

  const perSecond = median(ours.map(({ seconds }) => prospects / seconds))
  const barePerSecond = median(bare.map(({ seconds }) => prospects / seconds))
  const perThousand = (cpuSeconds: number) => (cpuSeconds / prospects) * 1000
  const cpuOf = (part: (typeof parts)[number]) => median(ours.map(({ cpuSeconds }) => perThousand(cpuSeconds[part])))
  return {
    title: `Campaigns over ${prospects} websites with pages of 60 kB that answer after ${latencyMs} ms, ${concurrencyIn(system)} read at a time`,
    figures: {
      prospectsPerSecond: perSecond,
      bareProspectsPerSecond: barePerSecond,
      ratio: perSecond / barePerSecond,
      workerMemoryMb: peakMemoryMb(system.pid('worker')),
      bareMemoryMb: median(bare.map((run) => run.peakMemoryMb)),
      historyEvents: Math.max(...ours.map(({ historyEvents }) => historyEvents)),
      cpuPerThousand: parts.reduce((sum, part) => sum + cpuOf(part), 0),
      bareCpuPerThousand: median(bare.map(({ cpuSeconds }) => perThousand(cpuSeconds))),
      ...Object.fromEntries(parts.map((part) => [`${part}CpuPerThousand`, cpuOf(part)])),
      prospectsPerSecondOnceStarted: median(ours.map(({ secondsOnceStarted }) => prospects / secondsOnceStarted)),
      pagesRead: median(ours.map(({ pages }) => pages)),
      barePagesRead: median(bare.map(({ pages }) => pages)),
    },
  }

  /** As the sandbox counts them. */
  async function countingPages<Run extends { seconds: number }>(
    half: string,
    websites: readonly string[],
    run: () => Promise<Run>,
  ): Promise<Run & { pages: number }> {
    const before = await system.pagesServed(websites)
    const done = await run()
    const pages = (await system.pagesServed(websites)) - before
    say(`  ${half.padEnd(12)} ${(prospects / done.seconds).toFixed(1).padStart(6)} prospects/s, ${pages} pages`)
    return { ...done, pages }
  }
}

/** In a process of its own, as the worker has one. */
async function runBare(
  system: MeasuredSystem,
  first: readonly string[],
  websites: readonly string[],
): Promise<BareRun> {
  const script = fileURLToPath(new URL('bare-campaign.ts', import.meta.url))
  const args = [script, system.sites, concurrencyIn(system), first.length].map(String)
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const stopWithUs = () => void child.kill()
  process.once('exit', stopWithUs)
  child.stdin.end([...first, ...websites].join('\n'))
  const printed = await text(child.stdout)
  process.off('exit', stopWithUs)
  return BareRun.parse(JSON.parse(printed))
}

/** The number of sites that one campaign has under way. */
function concurrencyIn({ config }: MeasuredSystem): number {
  return readingLanes * config.sites.concurrency
}

function websitesOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `http://large-${name}-${index}.test/`)
}
