import {
  type Entitlements,
  type GrantedLimit,
  type PlanRefusal,
  windowOf,
} from '../workflows/contracts/entitlements.ts'
import { allowanceChanged, campaignId } from '../workflows/contracts/prospect-campaign.ts'
import type { Tx } from './client.ts'
import { countedOf, giveBackToLimits, takeFromLimits } from './limit-counts.ts'
import { enqueueSignal } from './outbox.ts'
import { searchesPaid } from './spend.ts'
import { wakeSequences } from './waking.ts'

/** Something is refused for what is paid for. Thrown into the transaction that would have done it, which is thereby given up. */
export class PlanRefused extends Error {
  readonly refusal: PlanRefusal
  constructor(refusal: PlanRefusal) {
    super(refusal.because)
    this.name = 'PlanRefused'
    this.refusal = refusal
  }
}

/** Keeps what the organisation may do from now on; null: nothing limits it. Whether that is anything else than before. */
export async function saveEntitlements(tx: Tx, entitlements: Entitlements | null, now: Date): Promise<boolean> {
  const changed =
    entitlements === null ? await tx`delete from entitlements returning 1` : await put(tx, entitlements, now)
  // What was made while nothing counted is counted anew.
  if (changed.length > 0) await tx`delete from limit_counts where act = 'contacts' and per = 'total'`
  return changed.length > 0
}

function put(tx: Tx, { access, features, limits }: Entitlements, now: Date) {
  return tx`
    insert into entitlements (access, features, limits, updated_at)
    values (${access}, ${features}, ${tx.json(limits.map((limit) => ({ ...limit })))}, ${now})
    on conflict (organisation_id) do update
      set access = excluded.access, features = excluded.features, limits = excluded.limits, updated_at = excluded.updated_at
      where (entitlements.access, entitlements.features, entitlements.limits)
        is distinct from (excluded.access, excluded.features, excluded.limits)
    returning 1`
}

/**
 * Has everybody look again who may wait for what the plans did not give: cohorts, and campaigns that wait for searches. Call it where entitlements were
 * changed. Returns the workflows to hand over after the commit.
 */
export async function wakeForEntitlements(tx: Tx, asked: { requestId: string; now: Date }): Promise<string[]> {
  const campaigns = await tx<{ id: string; organisationId: string }[]>`
    select id, organisation_id from campaigns
    where status = 'waiting' and waiting_for = 'budget' and problem in ('plan_limit', 'no_access') order by id`
  for (const { id, organisationId } of campaigns) {
    const story = {
      workflowId: campaignId(id),
      name: 'prospectCampaign',
      args: { organisationId, campaignId: id },
      subjectId: id,
      summary: 'Prospect campaign',
      requestId: asked.requestId,
    }
    await enqueueSignal(tx, { ...story, signal: allowanceChanged.name, signalArgs: {} }, asked.now)
  }
  return [...campaigns.map(({ id }) => campaignId(id)), ...(await wakeSequences(tx, null, asked))]
}

/** What the organisation may do; null: nothing limits it. */
export async function readEntitlements(tx: Tx): Promise<Entitlements | null> {
  const [row] = await tx<Entitlements[]>`select access, features, limits from entitlements`
  return row ?? null
}

/**
 * What is used of a limit now. Searches are those that were paid for, messages those that were claimed since the limit first held, without the
 * transactional ones; of contacts in all, no more are counted than tells that it is reached.
 */
export async function usedOf(tx: Tx, limit: GrantedLimit, now: Date): Promise<number> {
  if (limit.act === 'searches') return searchesPaid(tx, windowOf(limit, now.getTime()))
  const counted = await countedOf(tx, limit, now)
  if (counted !== null || limit.act !== 'contacts' || limit.per !== 'total') return counted ?? 0
  const [row] = await tx<{ there: number }[]>`
    select count(*)::int as there from (select from contacts where erased_at is null limit ${limit.most + 1}) as some_contacts`
  return row?.there ?? 0
}

export interface ContactRoom {
  taken: number
  /** Why there is no room for the others. */
  refusal: PlanRefusal | null
}

/** Counts as many new contacts as the plans have room for; until the transaction ends, nobody else's are counted. */
export async function takeContactRoom(tx: Tx, wanted: number, now: Date): Promise<ContactRoom> {
  const entitlements = wanted === 0 ? null : await readEntitlements(tx)
  if (entitlements === null) return { taken: wanted, refusal: null }
  const { access, limits } = entitlements
  if (access === 'none') return { taken: 0, refusal: { because: 'no_access', access } }
  return takeFromLimits(tx, { act: 'contacts', wanted, limits }, now)
}

/** So many that were counted at that moment were not made after all. */
export function giveBackContactRoom(tx: Tx, count: number, countedAt: Date): Promise<void> {
  return giveBackToLimits(
    tx,
    'contacts',
    Array.from({ length: count }, () => countedAt),
  )
}
