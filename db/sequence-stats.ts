import type { EnrolmentStatus } from '../workflows/contracts/sequences.ts'
import type { Tx } from './client.ts'

/** How many people stand at a step, or ended there, and how. */
export interface Standing {
  /** Null: before the first step. */
  stepKey: string | null
  status: EnrolmentStatus
  reason: string | null
  people: number
}

/** What became of the messages of a step. Facts that came afterwards count once a message. */
export interface StepMessages {
  sent: number
  unconfirmed: number
  rejected: number
  /** Those that will never go, by reason. */
  skipped: Record<string, number>
  delivered: number
  bounced: number
  complained: number
  opened: number
  clicked: number
  replied: number
}

export interface SequenceStats {
  standing: Standing[]
  /** How many people have come to each step. */
  entered: Map<string, number>
  messages: Map<string, StepMessages>
}

/** Counts a sequence from the facts, over all its versions. */
export async function sequenceStats(tx: Tx, sequenceId: string): Promise<SequenceStats> {
  const [standing, entered, messages] = await Promise.all([
    tx<Standing[]>`
      select step_key, status, reason, count(*)::int as people from enrolments where sequence_id = ${sequenceId}
      group by step_key, status, reason`,
    tx<{ stepKey: string; people: number }[]>`
      select visit.step_key, count(*)::int as people from enrolments, unnest(visited) as visit (step_key)
      where sequence_id = ${sequenceId} group by visit.step_key`,
    tx<MessageGroup[]>`
      select step_key, status, reason, count(*)::int as messages, count(delivered_at)::int as delivered,
        count(bounced_at)::int as bounced, count(complained_at)::int as complained, count(opened_at)::int as opened,
        count(clicked_at)::int as clicked, count(replied_at)::int as replied
      from messages where sequence_id = ${sequenceId} and step_key is not null
      group by step_key, status, reason`,
  ])
  return {
    standing,
    entered: new Map(entered.map(({ stepKey, people }) => [stepKey, people])),
    messages: perStep(messages),
  }
}

type Fact = 'delivered' | 'bounced' | 'complained' | 'opened' | 'clicked' | 'replied'

type MessageGroup = { stepKey: string; status: string; reason: string | null; messages: number } & Record<Fact, number>

function perStep(groups: readonly MessageGroup[]): Map<string, StepMessages> {
  const steps = new Map<string, StepMessages>()
  for (const [stepKey, ofStep] of Map.groupBy(groups, (group) => group.stepKey)) {
    const withStatus = (...statuses: string[]) => ofStep.filter(({ status }) => statuses.includes(status))
    const skipped: Record<string, number> = {}
    for (const { reason, status, messages } of withStatus('skipped', 'expired')) {
      skipped[reason ?? status] = (skipped[reason ?? status] ?? 0) + messages
    }
    const fact = (name: Fact) => sum(ofStep.map((group) => group[name]))
    steps.set(stepKey, {
      sent: sum(withStatus('sent').map(({ messages }) => messages)),
      unconfirmed: sum(withStatus('unconfirmed').map(({ messages }) => messages)),
      rejected: sum(withStatus('rejected').map(({ messages }) => messages)),
      skipped,
      delivered: fact('delivered'),
      bounced: fact('bounced'),
      complained: fact('complained'),
      opened: fact('opened'),
      clicked: fact('clicked'),
      replied: fact('replied'),
    })
  }
  return steps
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
