import type { Tx } from './client.ts'

/** What an organisation has of what counts at any one time, and the features, by their keys in the catalogue, that something goes on with. */
export interface CurrentUse {
  total: { contacts: number }
  features: string[]
}

/** All contacts are counted: for when somebody asks, not for every act. */
export async function currentUse(tx: Tx): Promise<CurrentUse> {
  const [row] = await tx<[{ contacts: number; campaigns: boolean; sequences: boolean }]>`
    select (select count(*) from contacts where erased_at is null) as contacts,
      exists (select from campaigns where status in ('queued', 'running', 'paused', 'waiting')) as campaigns,
      exists (select from enrolments where status in ('active', 'paused', 'held')) as sequences`
  const { contacts, ...features } = row
  return { total: { contacts }, features: Object.entries(features).flatMap(([key, isInUse]) => (isInUse ? [key] : [])) }
}
