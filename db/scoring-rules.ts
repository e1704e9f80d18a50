import { builtInRules, type ScoringRule } from '../workflows/contracts/scoring-rules.ts'
import type { Tx } from './client.ts'

export interface VersionedRules {
  /** Counts the organisation's own from 1. 0: the rules that come with the code. */
  version: number
  rules: readonly ScoringRule[]
  /** Who saved them and when; null for the rules that come with the code. */
  actor: string | null
  createdAt: Date | null
}

/** The rules that the organisation scores by now. */
export async function currentScoringRules(tx: Tx): Promise<VersionedRules> {
  const [row] = await tx<VersionedRules[]>`
    select version, rules, actor, created_at from scoring_rules order by version desc limit 1`
  return row ?? { version: 0, rules: builtInRules, actor: null, createdAt: null }
}

/** Keeps the rules as the organisation's next version. What was saved before stays as it is. */
export async function saveScoringRules(
  tx: Tx,
  { rules, actor, now }: { rules: readonly ScoringRule[]; actor: string; now: Date },
): Promise<VersionedRules> {
  // One after the other, or two at once would take the same number.
  await tx`select pg_advisory_xact_lock(hashtextextended('scoring_rules/' || current_organisation(), 0))`
  const [row] = await tx<VersionedRules[]>`
    insert into scoring_rules (version, rules, actor, created_at)
    select coalesce(max(version), 0) + 1, ${tx.json([...rules])}, ${actor}, ${now} from scoring_rules
    returning version, rules, actor, created_at`
  if (!row) throw new Error('insert returned no row')
  return row
}
