import { setTimeout as sleep } from 'node:timers/promises'
import { connectSystem } from '../db/client.ts'
import type { Logins } from '../db/migrate.ts'

export interface BillingProgress extends AsyncDisposable {
  /** How many events of a run there are. */
  kept(run: string): Promise<number>
  /** How many of them were followed by a look at their organisation. */
  applied(run: string): Promise<number>
  /** Resolves when all were, and nobody is still to be told of any; returns the seconds that this took. Throws when it goes on for too long. */
  untilApplied(run: string): Promise<number>
}

const pollMs = 100
const patienceMs = 300_000

/** What became of the events that a run has posted: it names them `evt_{run}_...`. */
export function billingProgress({ systemUrl }: Pick<Logins, 'systemUrl'>): BillingProgress {
  const system = connectSystem(systemUrl, { name: 'bench', poolSize: 1 })
  return { kept, applied, untilApplied, [Symbol.asyncDispose]: () => system.end({ timeout: 5 }) }

  async function kept(run: string): Promise<number> {
    const [row] = await system<{ count: number }[]>`
      select count(*) from inbound_events where starts_with(provider_event_id, ${`evt_${run}_`})`
    return row?.count ?? 0
  }

  async function applied(run: string): Promise<number> {
    const [row] = await system<{ count: number }[]>`
      select count(*) from inbound_events join billing_states using (organisation_id)
      where starts_with(provider_event_id, ${`evt_${run}_`}) and seen_at >= received_at`
    return row?.count ?? 0
  }

  async function untilApplied(run: string): Promise<number> {
    const begun = performance.now()
    const all = await kept(run)
    while ((await waiting()) > 0 || (await applied(run)) < all) {
      if (performance.now() - begun > patienceMs) throw new Error(`of ${all} events ${await applied(run)} were applied`)
      await sleep(pollMs)
    }
    return (performance.now() - begun) / 1000
  }

  async function waiting(): Promise<number> {
    const [row] = await system<{ count: number }[]>`
      select count(*) from outbox where status <> 'delivered' and name = 'subscriptionLifecycle'`
    return row?.count ?? 0
  }
}
