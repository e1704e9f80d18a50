import { builtInPolicy, type SendingPolicy } from '../workflows/contracts/sending.ts'
import type { Tx } from './client.ts'

/** When the organisation writes to people, and whether it does at all. */
export interface CurrentPolicy {
  policy: SendingPolicy
  /** Since when nothing goes out; null: it does. */
  pausedAt: Date | null
  /** Who changed it last and when; null for the policy that comes with the code. */
  actor: string | null
  updatedAt: Date | null
}

/** The policy of the organisation of this transaction. */
export async function currentPolicy(tx: Tx): Promise<CurrentPolicy> {
  const [row] = await tx<CurrentPolicy[]>`select policy, paused_at, actor, updated_at from policies`
  if (!row) return { policy: builtInPolicy, pausedAt: null, actor: null, updatedAt: null }
  return { ...row, policy: wholePolicy(row.policy) }
}

/** What was saved, maybe before the policy had all its fields, with what comes with the code for the rest. Null: nothing was. */
export function wholePolicy(saved: Partial<SendingPolicy> | null): SendingPolicy {
  return { ...builtInPolicy, ...saved }
}

type PolicyChanges = { [Field in keyof SendingPolicy]?: SendingPolicy[Field] | undefined }

interface Change {
  actor: string
  now: Date
}

/** Changes what is given and leaves the rest, a pause too. */
export async function changePolicy(tx: Tx, changes: PolicyChanges, change: Change): Promise<CurrentPolicy> {
  await takePolicy(tx, change)
  const { policy } = await currentPolicy(tx)
  const merged: SendingPolicy = {
    window: changes.window ?? policy.window,
    minGap: changes.minGap ?? policy.minGap,
    consentRequired: changes.consentRequired ?? policy.consentRequired,
    unconfirmedAfter: changes.unconfirmedAfter ?? policy.unconfirmedAfter,
  }
  await tx`update policies set policy = ${tx.json({ ...merged })}, actor = ${change.actor}, updated_at = ${change.now}`
  return currentPolicy(tx)
}

/** Keeps everything back that the organisation would send, or lets it go on; what is so already stays. */
export async function pauseOrganisation(tx: Tx, isPaused: boolean, change: Change): Promise<CurrentPolicy> {
  await takePolicy(tx, change)
  await tx`
    update policies set paused_at = ${isPaused ? change.now : null}, actor = ${change.actor}, updated_at = ${change.now}
    where (paused_at is not null) <> ${isPaused}`
  return currentPolicy(tx)
}

/** One after the other; the first writes down the policy that comes with the code. */
async function takePolicy(tx: Tx, { actor, now }: Change): Promise<void> {
  await tx`
    insert into policies (policy, actor, updated_at) values (${tx.json({ ...builtInPolicy })}, ${actor}, ${now})
    on conflict (organisation_id) do nothing`
  await tx`select from policies for update`
}
