import { setTimeout as sleep } from 'node:timers/promises'
import { type CampaignStage, campaignStages } from '../../workflows/contracts/prospect-campaign.ts'
import { eventually } from '../support/eventually.ts'
import type { WholeSystem } from '../support/whole-system.ts'
import { type Draws, drawsFrom } from './draws.ts'
import { type Blows, createStrikes } from './strikes.ts'

/** Those that last long enough to be struck: scoring is over in no time. */
const struckStages = ['search', 'analyse', 'export'] as const satisfies CampaignStage[]
type StruckStage = (typeof struckStages)[number]

export interface StormSize {
  /** In each stage of the campaign. The worker that stands in for a frozen one is killed besides. */
  kills: Record<StruckStage, { worker: number; api: number }>
  /** About how long there is calm between two blows at the same process. */
  lullMs: number
}

/** What is asked for meanwhile. Each may fail as often as it likes. */
export interface StormyCampaign {
  /** Null before the first stage. */
  stage(): Promise<CampaignStage | 'over' | null>
  postAgain(): Promise<unknown>
  pause(): Promise<unknown>
  resume(): Promise<unknown>
}

/** Longer than the heartbeat time-out of `outsideBatch` and another heartbeat: by then somebody else has the work. */
const frozenMs = { from: 20_000, to: 24_000 }
const patience = { timeout: 180_000, interval: 200 }

/**
 * Strikes at everything, stage after stage: kills worker and API again and again, freezes a worker while another takes over, restarts
 * PostgreSQL and Temporal, pauses and resumes, kills all at once. Throws when the campaign was over before.
 */
export async function storm(
  system: WholeSystem,
  campaign: StormyCampaign,
  { seed, kills, lullMs }: StormSize & { seed: number },
  say: (line: string) => void,
): Promise<Blows> {
  const strikes = createStrikes(system, say)
  const { blows } = strikes
  const plan = planOf(drawsFrom(`${seed}/plan`))
  for (const stage of struckStages) {
    await eventually(() => assertReached(stage), patience)
    say(`stage ${stage}`)
    const isDue = (blow: keyof typeof plan) => plan[blow] === stage
    await Promise.all([
      strikeWorkers(stage),
      strikeApi(stage),
      isDue('postgres') && restart('postgres'),
      isDue('temporal') && restart('temporal'),
      isDue('pause') && pauseOnce(),
    ])
    if (isDue('blackout')) await blackout()
  }
  return blows

  async function strikeWorkers(stage: StruckStage): Promise<void> {
    const draws = drawsFrom(`${seed}/workers/${stage}`)
    const planned = Array.from({ length: kills[stage].worker }, () => strikes.killWorker)
    // While sites are read, when most is in flight.
    for (const strike of draws.shuffled(stage === 'analyse' ? [...planned, () => freezeWorker(draws)] : planned)) {
      await lull(draws)
      await assertGoesOn()
      await strike()
    }
  }

  async function freezeWorker(draws: Draws): Promise<void> {
    const standIn = await eventually(() => system.secondWorker(), patience) // its start needs servers that may be down
    await strikes.freezeWorker(draws.between(frozenMs.from, frozenMs.to))
    await sleep(draws.between(0, lullMs))
    strikes.killStandIn(standIn)
  }

  async function strikeApi(stage: StruckStage): Promise<void> {
    const draws = drawsFrom(`${seed}/api/${stage}`)
    for (let left = kills[stage].api; left > 0; left -= 1) {
      await lull(draws)
      await assertGoesOn()
      // So that requests are cut short at all points of their way.
      const posted = campaign.postAgain().catch(() => {})
      await sleep(draws.between(0, 20))
      await strikes.killApi()
      await posted
    }
  }

  async function restart(server: 'postgres' | 'temporal'): Promise<void> {
    const draws = drawsFrom(`${seed}/${server}`)
    await sleep(draws.between(0, 2 * lullMs))
    await assertGoesOn()
    await strikes.restart(server, server === 'postgres' && draws.chance(0.5))
  }

  async function pauseOnce(): Promise<void> {
    const draws = drawsFrom(`${seed}/pause`)
    await sleep(draws.between(0, lullMs))
    await eventually(() => campaign.pause(), patience)
    say('paused')
    await sleep(draws.between(0, lullMs))
    await eventually(() => campaign.resume(), patience)
    say('resumed')
  }

  async function blackout(): Promise<void> {
    await assertGoesOn()
    await strikes.blackout()
  }

  /** Mostly long enough for the victim to have settled; sometimes it is struck just after it came up. */
  function lull(draws: Draws): Promise<void> {
    return sleep(draws.chance(0.15) ? draws.between(0, lullMs / 4) : draws.between(lullMs, 1.5 * lullMs))
  }

  async function assertReached(wanted: CampaignStage): Promise<void> {
    const stage = await campaign.stage()
    if (stage === 'over') return
    if (stage === null || campaignStages.indexOf(stage) < campaignStages.indexOf(wanted)) {
      throw new Error(`The campaign has come no further than ${stage}`)
    }
  }

  async function assertGoesOn(): Promise<void> {
    // An API that is down just now says nothing against it.
    if ((await campaign.stage().catch(() => null)) !== 'over') return
    throw new Error(`The campaign was over before the storm, which had done ${JSON.stringify(blows)}`)
  }
}

/** In which stage each of the blows falls that are dealt once. */
function planOf(draws: Draws): Record<'postgres' | 'temporal' | 'pause' | 'blackout', StruckStage> {
  const [first = 'search', second = 'analyse', third = 'export'] = draws.shuffled(struckStages)
  return { postgres: first, temporal: second, pause: third, blackout: draws.chance(0.5) ? 'analyse' : 'export' }
}
