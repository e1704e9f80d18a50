import type { Plan } from '../workflows/contracts/plans.ts'
import type { BillingFacts, ShownBilling } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'
import { currentOrganisation } from './organisations.ts'

/** What the notices to an organisation are written of. */
export interface NoticeGround {
  name: string
  timeZone: string
  /** Of the platform; null: nobody is known to write to. */
  contactId: string | null
  /** As it was last seen at the provider; null: never. */
  billing: { facts: BillingFacts; shown: ShownBilling } | null
  /** Of each plan in its newest version. */
  planNames: ReadonlyMap<string, string>
  /** By type of credit. */
  balances: ReadonlyMap<string, number>
}

/** As the organisation that the notice is for. */
export async function noticeGround(tx: Tx): Promise<NoticeGround> {
  const [{ name, timeZone }, customers, billing, plans, accounts] = await Promise.all([
    currentOrganisation(tx),
    tx<{ contactId: string | null }[]>`select contact_id from stripe_customers`,
    tx<{ facts: BillingFacts; shown: ShownBilling }[]>`select facts, shown from billing_states`,
    tx<Pick<Plan, 'key' | 'name'>[]>`
      select plans.key, definition ->> 'name' as name from plans
      join plan_versions on plan_key = plans.key and plan_versions.version = plans.version`,
    tx<{ type: string; balance: number }[]>`select type, balance from credit_accounts`,
  ])
  return {
    name,
    timeZone,
    contactId: customers[0]?.contactId ?? null,
    billing: billing[0] ?? null,
    planNames: new Map(plans.map((plan) => [plan.key, plan.name])),
    balances: new Map(accounts.map(({ type, balance }) => [type, balance])),
  }
}
