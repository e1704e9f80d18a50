import { addContacts, createAudience } from './drip-audience.ts'
import { runWithKill } from './drip-recovery.ts'
import { runWithReplies, webhookSecret } from './drip-replies.ts'
import { type RivalRun, runBareDrip, runNaiveDrip } from './drip-rivals.ts'
import { measureSleepers } from './drip-sleepers.ts'
import { spreadMessages } from './drip-spread.ts'
import { type Figures, median, quantile } from './figures.ts'
import { type ProviderStub, startProviderStub } from './provider-stub.ts'
import { bootSystem } from './system.ts'
import { parts } from './throughline-campaign.ts'
import { type DripBench, type DripRun, runDrip } from './throughline-drip.ts'

const people = 20_000
const steps = 3
const naivePeople = 500
const spreadPeople = 5_000
const sleepers = 100_000
const rounds = 3
const kills = 3
/** By each half before its clock starts, so that neither pays for compilers and pools that are still cold. */
const warmUp = 2_000
const latencyMs = 5
const quantumSeconds = 30

/**
 * Three messages to each of 20,000 people, in turns with a bare loop over the same rows; beside one workflow per contact; under replies; through
 * the death of the worker; spread over ten minutes; and a hundred thousand who sleep. Figures of several rounds are medians.
 */
export async function measureDrip({ say }: { seed: number; say: (line: string) => void }): Promise<{
  title: string
  figures: Figures
}> {
  await using stub = await startProviderStub(latencyMs)
  const burst = await measureBurst(stub, say)
  const spread = await measureSpread(stub, say)
  const all = [...burst.runs, spread]
  return {
    title: `Three messages a second apart to ${people} people, in batches of 100 to a provider that answers after ${latencyMs} ms`,
    figures: {
      ...burst.figures,
      eventsPerContactStepSpread: spread.historyEvents / spreadPeople / steps,
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
      duplicates: all.reduce((sum, { duplicates }) => sum + duplicates, 0),
    },
  }
}

async function measureBurst(
  stub: ProviderStub,
  say: (line: string) => void,
): Promise<{ runs: DripRun[]; figures: Figures }> {
  say('Booting a system of its own ...')
  await using system = await bootSystem(settingsFor(stub))
  await using audience = await createAudience(system, people)
  const bench: DripBench = { system, audience, stub }
  const { contactIds } = audience
  const few = contactIds.slice(0, warmUp)
  await runBareDrip(bench, 'bare-first', few)
  await runDrip(bench, { run: 'ours-first', people: few })

  const bare: RivalRun[] = []
  const ours: DripRun[] = []
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(tell('bare', await runBareDrip(bench, `bare-${round}`, contactIds)))
    ours.push(tell('throughline', await runDrip(bench, { run: `ours-${round}`, people: contactIds })))
  }
  const naive = await runNaiveDrip(bench, 'naive', contactIds.slice(0, naivePeople))
  say(
    `  one workflow per contact: ${perThousand(naive.cpuSeconds, naivePeople).toFixed(1)} s of processor time per 1,000`,
  )

  const answered = await runWithReplies(bench, 'replies', contactIds)
  const killed: Awaited<ReturnType<typeof runWithKill>>[] = []
  for (let round = 1; round <= kills; round += 1) killed.push(await runWithKill(bench, `kill-${round}`, contactIds))
  say(`  after a kill: ${killed.map(({ recoverySeconds }) => `${recoverySeconds.toFixed(1)} s`).join(', ')}`)

  const more = await addContacts(system, { from: people, to: sleepers })
  const asleep = await measureSleepers(system, audience, [...contactIds, ...more])

  const sends = people * steps
  return {
    runs: [...ours, answered, ...killed],
    figures: {
      cpuPerThousand: median(ours.map((run) => perThousand(totalCpu(run), people))),
      naiveCpuPerThousand: perThousand(naive.cpuSeconds, naivePeople),
      bareCpuPerThousand: median(bare.map((run) => perThousand(run.cpuSeconds, people))),
      sendsPerSecond: median(ours.map(({ seconds }) => sends / seconds)),
      bareSendsPerSecond: median(bare.map(({ seconds }) => sends / seconds)),
      eventsPerContactStep: median(ours.map(({ historyEvents }) => historyEvents / sends)),
      sleeperWorkerBytes: asleep.workerBytes,
      sleeperDiskBytes: asleep.diskBytes,
      recoverySeconds: median(killed.map(({ recoverySeconds }) => recoverySeconds)),
      exitP50Ms: quantile(answered.exitMs, 0.5),
      exitP99Ms: quantile(answered.exitMs, 0.99),
    },
  }

  function tell<Run extends RivalRun | DripRun>(half: string, run: Run): Run {
    const cpu = perThousand(totalCpu(run), people).toFixed(2)
    const detail =
      typeof run.cpuSeconds === 'number'
        ? ''
        : ` (${Object.entries(run.cpuSeconds)
            .map(([part, seconds]) => `${part} ${perThousand(seconds, people).toFixed(2)}`)
            .join(', ')})`
    say(
      `  ${half.padEnd(12)} ${((people * steps) / run.seconds).toFixed(0).padStart(6)} sends/s, ${cpu} s per 1,000${detail}`,
    )
    return run
  }
}

/** A system of its own, since the quantum is a setting. */
async function measureSpread(stub: ProviderStub, say: (line: string) => void): Promise<DripRun> {
  say('Booting a second system, for due times spread over ten minutes ...')
  await using system = await bootSystem({ ...settingsFor(stub), DRIP_QUANTUM_SECONDS: String(quantumSeconds) })
  await using audience = await createAudience(system, spreadPeople)
  const run = 'spread'
  // Awaited here: else the system would be gone before it begins.
  return await runDrip({ system, audience, stub }, { run, people: audience.contactIds, steps: spreadMessages(run) })
}

function settingsFor({ url }: ProviderStub) {
  return {
    RESEND_BASE_URL: url,
    RESEND_API_KEY: 'bench',
    RESEND_WEBHOOK_SECRET: webhookSecret,
    RATE_LIMIT_PER_MINUTE: '100000',
    DRIP_QUANTUM_SECONDS: '1',
  }
}

const perThousand = (seconds: number, count: number) => (seconds / count) * 1000

function totalCpu({ cpuSeconds }: Pick<RivalRun | DripRun, 'cpuSeconds'>): number {
  return typeof cpuSeconds === 'number' ? cpuSeconds : parts.reduce((sum, part) => sum + cpuSeconds[part], 0)
}
