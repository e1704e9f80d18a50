import type { PlanPlace } from '../workflows/contracts/catalogue.schema.ts'
import type { Plan, PlanMeter } from '../workflows/contracts/plans.ts'
import type { Tx } from './client.ts'

/** A plan as it was saved once. That stays as it was. */
export interface SavedPlan {
  version: number
  definition: Plan
  /** Who saved this version, and when. */
  actor: string
  createdAt: Date
  /** The plan's newest version, which is bought, unless it is retired. */
  newest: number
  retiredAt: Date | null
}

/** The catalogue by family and rank, each plan in its newest version; all organisations see the same. */
export async function listPlans(
  tx: Tx,
  { family, withRetired }: { family: string | null; withRetired: boolean },
): Promise<SavedPlan[]> {
  return tx<SavedPlan[]>`
    select ${columns(tx)} from plans
    join plan_versions as saved on saved.plan_key = plans.key and saved.version = plans.version
    where (${family}::text is null or plans.family = ${family}) and (${withRetired} or plans.retired_at is null)
    order by plans.family, (saved.definition ->> 'rank')::int, plans.key`
}

/** A plan in its newest version. */
export async function findPlan(tx: Tx, key: string): Promise<SavedPlan | null> {
  return findVersion(tx, key, null)
}

/** A plan in the version that somebody has bought. */
export async function findPlanVersion(tx: Tx, key: string, version: number): Promise<SavedPlan | null> {
  return findVersion(tx, key, version)
}

async function findVersion(tx: Tx, key: string, version: number | null): Promise<SavedPlan | null> {
  const [row] = await tx<SavedPlan[]>`
    select ${columns(tx)} from plans
    join plan_versions as saved on saved.plan_key = plans.key and saved.version = coalesce(${version}, plans.version)
    where plans.key = ${key}`
  return row ?? null
}

/** What plans are called in their newest versions, by key; those that there are not are left out. */
export async function planNames(tx: Tx, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (keys.length === 0) return new Map()
  const rows = await tx<{ key: string; name: string }[]>`
    select plans.key, saved.definition ->> 'name' as name from plans
    join plan_versions as saved on saved.plan_key = plans.key and saved.version = plans.version
    where plans.key = any(${[...keys]}::text[])`
  return new Map(rows.map(({ key, name }) => [key, name]))
}

/** The plan of each setting of a price that any version has named: for ever, since no other plan may name it. */
export async function listPriceSettings(tx: Tx): Promise<{ setting: string; planKey: string }[]> {
  return tx<{ setting: string; planKey: string }[]>`
    select distinct price ->> 'setting' as setting, plan_key
    from plan_versions, jsonb_array_elements(definition -> 'prices') as price
    order by plan_key, setting`
}

/** What any version has metered, by the setting of the metered price, as the newest version that names it has it. */
export async function listMeters(tx: Tx): Promise<PlanMeter[]> {
  return tx<PlanMeter[]>`
    select distinct on (meter ->> 'setting') meter ->> 'setting' as setting, meter ->> 'type' as type, meter ->> 'event' as event
    from plan_versions, jsonb_array_elements(definition -> 'prices') as price, jsonb_array_elements(price -> 'meters') as meter
    order by meter ->> 'setting', version desc`
}

/** What every plan takes up, as nobody else changes the catalogue until the end of the transaction. */
export async function lockCatalogue(tx: Tx): Promise<PlanPlace[]> {
  await tx`select pg_advisory_xact_lock(hashtextextended('plans', 0))`
  return tx<PlanPlace[]>`
    select plans.key, plans.kind, plans.family, (newest.definition ->> 'rank')::int as rank,
      array(
        select distinct named ->> 'setting'
        from plan_versions as any_version, jsonb_array_elements(any_version.definition -> 'prices') as price,
          jsonb_array_elements(coalesce(price -> 'meters', '[]') || price) as named
        where any_version.plan_key = plans.key
      ) as settings
    from plans
    join plan_versions as newest on newest.plan_key = plans.key and newest.version = plans.version`
}

/**
 * Keeps the definition as the plan's next version, the first where there is no such plan; one that was retired can be bought again. The
 * platform alone may, with the catalogue locked.
 */
export async function savePlan(
  tx: Tx,
  { definition, actor, now }: { definition: Plan; actor: string; now: Date },
): Promise<SavedPlan> {
  const { key, kind, family } = definition
  const [plan] = await tx<{ version: number }[]>`
    insert into plans (key, kind, family, created_at, updated_at) values (${key}, ${kind}, ${family}, ${now}, ${now})
    on conflict (key) do update set version = plans.version + 1, retired_at = null, updated_at = ${now}
    returning version`
  if (!plan) throw new Error('insert returned no row')
  const { version } = plan
  await tx`
    insert into plan_versions (plan_key, version, definition, actor, created_at)
    values (${key}, ${version}, ${JSON.stringify(definition)}::text::jsonb, ${actor}, ${now})`
  return { version, definition, actor, createdAt: now, newest: version, retiredAt: null }
}

/** From now on nobody buys the plan. Who has it keeps it. Retired before, it stays so since then. */
export async function retirePlan(tx: Tx, key: string, now: Date): Promise<SavedPlan | null> {
  await tx`update plans set retired_at = ${now}, updated_at = ${now} where key = ${key} and retired_at is null`
  return findPlan(tx, key)
}

const columns = (tx: Tx) =>
  tx`saved.version, saved.definition, saved.actor, saved.created_at, plans.version as newest, plans.retired_at`
