import type { OperatorSwitch } from '../workflows/contracts/subscriptions.ts'
import type { Tx } from './client.ts'

/** Switches something on; false: it was on already, and stays with the reason that it has. */
export async function switchOn(
  tx: Tx,
  { name, reason, author }: { name: OperatorSwitch; reason: string; author: string },
  now: Date,
): Promise<boolean> {
  const [row] = await tx`
    insert into billing_switches (name, reason, author, on_at) values (${name}, ${reason}, ${author}, ${now})
    on conflict (organisation_id, name) where off_at is null do nothing returning 1`
  return row !== undefined
}

/** False: it was off. */
export async function switchOff(tx: Tx, name: OperatorSwitch, now: Date): Promise<boolean> {
  const [row] =
    await tx`update billing_switches set off_at = ${now} where name = ${name} and off_at is null returning 1`
  return row !== undefined
}

/** What was seen to come; the newest move of a timer holds. */
export async function moveTimer(
  tx: Tx,
  { timerKey, to, author }: { timerKey: string; to: Date; author: string },
  now: Date,
): Promise<void> {
  await tx`
    insert into billing_moved_timers (timer_key, moved_to, author, moved_at) values (${timerKey}, ${to}, ${author}, ${now})
    on conflict (organisation_id, timer_key) do update set moved_to = ${to}, author = ${author}, moved_at = ${now}`
}

/** Whether an operator has moved it before. */
export async function wasMoved(tx: Tx, timerKey: string): Promise<boolean> {
  const [row] = await tx`select 1 from billing_moved_timers where timer_key = ${timerKey}`
  return row !== undefined
}
