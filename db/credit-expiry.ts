import type { Tx } from './client.ts'

/** What has given back to grants that had expired before. */
interface Cause {
  id: string
  sourceKey: string
  at: Date
}

/**
 * Writes down which grants have expired by `now`, each at its time, and lets what was promised of them go on. In the account's turn. `cause`: why
 * something is left of grants that had expired already.
 */
export async function expireGrants(tx: Tx, accountId: string, now: Date, cause?: Cause): Promise<void> {
  const [row] = await tx<{ rolled: number }[]>`
    with due as (
      select id, remaining, least(remaining, rolls_over) as rolled, priority, expires_at, rolls_over_until,
        case when expired_at is null then 'expire/' || id else ${cause?.sourceKey ?? null} end as source_key,
        'rollover/' || id || case when expired_at is null then '' else '/' || ${cause?.id ?? null}::text end as rollover_key,
        case when expired_at is null then expires_at else greatest(expires_at, ${cause?.at ?? null}) end as at
      from credit_grants
      where account_id = ${accountId} and not is_spent and (expires_at <= ${now} or expired_at is not null)
    ), ended as (
      update credit_grants set remaining = 0, rolls_over = rolls_over - rolled, expired = expired + due.remaining - rolled,
        expired_at = coalesce(expired_at, ${now})
      from due where credit_grants.id = due.id
    ), gone as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}::uuid, id, 'expired', -remaining, source_key, at from due
    ), going_on as (
      insert into credit_grants (account_id, source_key, source, amount, remaining, priority, expires_at, rolled_from, granted_at)
      select ${accountId}::uuid, rollover_key, 'rollover', rolled, rolled, priority, rolls_over_until, id, at from due where rolled > 0
      order by at, id
      returning id, amount, source_key, granted_at
    ), granted as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}::uuid, id, 'granted', amount, source_key, granted_at from going_on
    )
    update credit_accounts set balance = balance - (select coalesce(sum(remaining - rolled), 0) from due)
    where id = ${accountId} returning (select count(*)::int from going_on) as rolled`
  // What has rolled over may have expired since, too.
  if (row && row.rolled > 0) await expireGrants(tx, accountId, now)
}

/**
 * Gives back up to `amount` of what a reservation holds, to the grants it was taken from, the last first; what is owed is paid of it. What has
 * expired meanwhile goes the way of the rest of its grant. In the account's turn.
 */
export async function giveBack(
  tx: Tx,
  accountId: string,
  { id, actKey, amount }: { id: string; actKey: string; amount: number },
  at: Date,
): Promise<void> {
  const sourceKey = `release/${actKey}`
  await tx`
    with held as (
      select grant_id, -amount as amount, sum(-amount) over (order by id desc rows unbounded preceding) + amount as before
      from credit_entries where account_id = ${accountId} and source_key = ${reserveKey(actKey)} and kind = 'reserved'
    ), parts as (
      select grant_id, least(amount, ${amount} - before) as amount from held where before < ${amount}
    ), entered as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}::uuid, grant_id, 'released', amount, ${sourceKey}, ${at}::timestamptz from parts
    ), credited as (
      update credit_accounts set balance = balance + (select coalesce(sum(amount), 0) from parts) where id = ${accountId}
    )
    update credit_grants set remaining = remaining + parts.amount from parts where credit_grants.id = parts.grant_id`
  await expireGrants(tx, accountId, at, { id, sourceKey, at })
  await repay(tx, accountId, sourceKey, at)
}

export const reserveKey = (actKey: string): string => `reserve/${actKey}`

/** The order in which grants burn, as take_credits has it. */
export const burnOrder = (tx: Tx) => tx`
  credit_grants.priority, credit_grants.expires_at nulls last, credit_grants.source in ('purchase', 'top_up'),
  credit_grants.granted_at, credit_grants.id`

/** Whatever grants have again, or anew, pays what is owed, in the order in which it would burn. In the account's turn. */
export async function repay(tx: Tx, accountId: string, sourceKey: string, at: Date): Promise<void> {
  await tx`
    with ordered as (
      select credit_grants.id, remaining, owed,
        sum(remaining) over (
          order by ${burnOrder(tx)} rows unbounded preceding
        ) - remaining as before
      from credit_grants join credit_accounts on credit_accounts.id = account_id
      where account_id = ${accountId} and owed > 0 and not is_spent
    ), parts as (
      select id, least(remaining, owed - before) as amount from ordered where before < owed
    ), whole as (
      select sum(amount)::bigint as amount from parts having count(*) > 0
    ), paid as (
      update credit_grants set remaining = remaining - parts.amount from parts where credit_grants.id = parts.id
    ), entered as (
      insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      select ${accountId}::uuid, id, 'repaid', -amount, ${sourceKey}, ${at}::timestamptz from parts
      union all
      select ${accountId}::uuid, null, 'repaid', amount, ${sourceKey}, ${at}::timestamptz from whole
    )
    update credit_accounts set owed = owed - whole.amount from whole where id = ${accountId}`
}
