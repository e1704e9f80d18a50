import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type BilledOrganisation, createBilled } from './billed-organisations.ts'
import { billingProgress } from './billing-progress.ts'
import { type Figures, median, quantile } from './figures.ts'
import { eventTemplate, signedEvents, webhookSecret } from './stripe-events.ts'
import { bootSystem, type MeasuredSystem } from './system.ts'
import { type Load, postAtRate, postInLanes } from './webhook-load.ts'

interface Sizes {
  organisations: number
  rounds: number
  webhooksPerRound: number
  /** By each half before its clock starts. */
  warmUp: number
  /** Without Temporal. */
  outage: { perSecond: number; seconds: number }
}

/** So many organisations that no row is hot. */
const usual: Sizes = {
  organisations: 1_000,
  rounds: 5,
  webhooksPerRound: 3_000,
  warmUp: 1_000,
  outage: { perSecond: 200, seconds: 20 },
}
const lanes = 20
/** More connections than the rate needs, so that a slow answer holds up nobody else. */
const outageLanes = 100
/** What an invoice of it looks like is what the events look like. */
const price = 'price_scout'

/** Stripe's webhooks as fast as they are taken, in turns with a bare route; and at a constant rate while Temporal is frozen. */
export async function measureBillingWebhooks(
  { say }: { seed: number; say: (line: string) => void },
  { organisations, rounds, webhooksPerRound, warmUp, outage }: Sizes = usual,
): Promise<{ title: string; figures: Figures }> {
  say('Booting a system of its own ...')
  await using system = await bootSystem({ STRIPE_WEBHOOK_SECRET: webhookSecret })
  const sandboxUrl = `http://127.0.0.1:${system.config.sandbox.providersPort}`
  // Nobody but the bench tells of anything.
  await system.happen({ provider: 'stripe', type: 'webhooks.off' })
  const template = await eventTemplate(sandboxUrl, price)
  const billed = await createBilled(system, { sandboxUrl, count: organisations })
  const customerIds = billed.map(({ customerId }) => customerId)
  const events = (run: string, count: number) => signedEvents(template, { run, count, customerIds })
  await using progress = billingProgress(system.logins)
  await using rival = await startBareIntake(system, billed)
  const url = `http://127.0.0.1:${system.config.api.port}/webhooks/stripe`

  await postInLanes(rival.url, events('bare_first', warmUp), lanes)
  await postInLanes(url, events('ours_first', warmUp), lanes)
  await progress.untilApplied('ours_first')
  const bare: Load[] = []
  const ours: Load[] = []
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(await postInLanes(rival.url, events(`bare_${round}`, webhooksPerRound), lanes))
    ours.push(await postInLanes(url, events(`ours_${round}`, webhooksPerRound), lanes))
    // What follows from ours is over before the other half begins.
    const seconds = await progress.untilApplied(`ours_${round}`)
    say(`  bare ${shown(bare)}, throughline ${shown(ours)}, applied ${seconds.toFixed(1)} s later`)
  }

  say(`Freezing Temporal for ${outage.seconds} s ...`)
  const told = events('outage', outage.perSecond * outage.seconds)
  const frozen = await withoutTemporal(system, () =>
    postAtRate(url, told, { perSecond: outage.perSecond, lanes: outageLanes }),
  )
  const secondsUntilApplied = await progress.untilApplied('outage')
  const runs = ['ours_first', ...ours.map((_, index) => `ours_${index + 1}`), 'outage']
  const kept = await Promise.all(runs.map((run) => progress.kept(run)))
  const posted = warmUp + rounds * webhooksPerRound + told.length

  // Of each round by itself: what else the machine does changes within minutes, and meets both halves of a round.
  const ratios = ours.map((load, round) => rateOf(load) / rateOf(bare[round] ?? load))
  return {
    title: `Webhooks of ${template.bytes} bytes, ${lanes} at a time, about ${organisations} customers`,
    figures: {
      webhooksPerSecond: median(ours.map(rateOf)),
      bareWebhooksPerSecond: median(bare.map(rateOf)),
      ratio: median(ratios),
      p99Ms: median(ours.map(p99Of)),
      bareP99Ms: median(bare.map(p99Of)),
      p99MsWithoutTemporal: p99Of(frozen),
      appliedAfterReturn: await progress.applied('outage'),
      secondsUntilApplied,
      lost: posted - kept.reduce((sum, count) => sum + count, 0),
    },
  }
}

/** Frozen, it takes connections and never answers, which is worse than one that is gone. */
async function withoutTemporal<T>(system: MeasuredSystem, work: () => Promise<T>): Promise<T> {
  const temporal = system.pid('temporal')
  process.kill(temporal, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(temporal, 'SIGCONT')
  }
}

/** In a process of its own, as the API has one. */
async function startBareIntake({ logins }: MeasuredSystem, billed: readonly BilledOrganisation[]) {
  const script = fileURLToPath(new URL('bare-billing-webhooks.ts', import.meta.url))
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
  const customers = billed.map(({ customerId, organisationId }) => [customerId, organisationId])
  child.stdin?.end(JSON.stringify({ appUrl: logins.appUrl, secret: webhookSecret, customers }))
  const [port]: unknown[] = await once(child, 'message')
  return {
    url: `http://127.0.0.1:${z.number().parse(port)}/webhooks/stripe`,
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

const rateOf = ({ tookMs, seconds }: Load): number => tookMs.length / seconds
const p99Of = ({ tookMs }: Load): number => quantile(tookMs, 0.99)

function shown(loads: readonly Load[]): string {
  const load = loads.at(-1)
  return load ? `${rateOf(load).toFixed(0)}/s p99 ${p99Of(load).toFixed(0)} ms` : ''
}
