import type { Database } from '../../db/client.ts'
import { saveEntitlements } from '../../db/entitlements.ts'
import type { Entitlements, GrantedLimit } from '../../workflows/contracts/entitlements.ts'

export const limitOf = (
  act: GrantedLimit['act'],
  most: number,
  per: GrantedLimit['per'],
  month: { from: number; until: number } | null = null,
): GrantedLimit => ({ act, most, per, from: month?.from ?? null, until: month?.until ?? null })

/** What an organisation may do from now on; with nothing said, everything but what limits say. */
export function entitle(
  database: Database,
  organisationId: string,
  entitlements: Partial<Entitlements> | null,
): Promise<boolean> {
  const whole = entitlements && { access: 'full' as const, features: [], limits: [], ...entitlements }
  return database.as(organisationId, (tx) => saveEntitlements(tx, whole, new Date()))
}
