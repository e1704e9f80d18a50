import { z } from 'zod'
import { type Standing, type StepMessages, sequenceStats } from '../../db/sequence-stats.ts'
import { findSequence, findSequenceVersion } from '../../db/sequences.ts'
import type { SequenceDefinition } from '../../workflows/contracts/sequences.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { SequenceParams } from './sequence-answers.ts'

const count = z.int().min(0)
const byReason = z.record(z.string(), count)

const StepStats = z
  .strictObject({
    key: z.string(),
    type: z.string().nullable().meta({ description: 'Null for a step that the newest version no longer has' }),
    entered: count.meta({ description: 'People who have come to it' }),
    sent: count,
    unconfirmed: count.meta({ description: 'Messages that may have been sent, listed until that is known' }),
    rejected: count.meta({ description: 'Messages that the provider will never take' }),
    skipped: byReason.meta({ description: 'Messages that were left out, by reason' }),
    delivered: count,
    bounced: count,
    complained: count,
    opened: count,
    clicked: count,
    replied: count,
    converted: count.meta({ description: 'People who reached the goal while they were here' }),
    exited: byReason.meta({ description: 'People whose journey ended here, by reason, the goal included' }),
  })
  .meta({ id: 'StepStats' })

const SequenceStats = z
  .strictObject({
    totals: z.strictObject({
      enrolled: count,
      underWay: count,
      paused: count,
      held: byReason,
      completed: count,
      exited: byReason,
    }),
    steps: z.array(StepStats).meta({
      description: 'Over all versions: the steps of the newest in their order, behind them those of earlier ones',
    }),
  })
  .meta({ id: 'SequenceStats' })

export function sequenceStatsRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/sequences/{id}/stats',
      permission: 'sequences:read',
      tag: 'Sequences',
      summary: 'Read the funnel of a sequence',
      description: 'Counted from the facts each time, so it is as of now.',
      params: SequenceParams,
      success: {
        status: 200,
        description: 'Totals, and what became of people and messages at each step',
        schema: SequenceStats,
      },
      handler: ({ params: { id }, as }) =>
        as(async (tx) => {
          const sequence = found(await findSequence(tx, id), 'sequence')
          const { definition } = found(await findSequenceVersion(tx, id, sequence.version), 'version')
          const { standing, entered, messages } = await sequenceStats(tx, id)
          const earlier = [...entered.keys(), ...messages.keys()]
          const keys = new Set([...definition.steps.map(({ key }) => key), ...earlier])
          return {
            body: {
              totals: totalsOf(standing),
              steps: [...keys].map((key) => ({
                key,
                type: typeOf(definition, key),
                entered: entered.get(key) ?? 0,
                ...(messages.get(key) ?? noMessages),
                ...endsOf(standing.filter(({ stepKey }) => stepKey === key)),
              })),
            },
          }
        }),
    }),
  ]
}

function totalsOf(standing: readonly Standing[]): z.input<typeof SequenceStats>['totals'] {
  return {
    enrolled: sum(standing),
    underWay: sum(withStatus(standing, 'active')),
    paused: sum(withStatus(standing, 'paused')),
    held: reasonsOf(withStatus(standing, 'held')),
    completed: sum(withStatus(standing, 'completed')),
    exited: reasonsOf(withStatus(standing, 'exited')),
  }
}

function endsOf(standing: readonly Standing[]) {
  const exited = reasonsOf(withStatus(standing, 'exited'))
  return { converted: exited['goal'] ?? 0, exited }
}

const noMessages: StepMessages = {
  sent: 0,
  unconfirmed: 0,
  rejected: 0,
  skipped: {},
  delivered: 0,
  bounced: 0,
  complained: 0,
  opened: 0,
  clicked: 0,
  replied: 0,
}

function typeOf({ steps }: SequenceDefinition, stepKey: string): string | null {
  return steps.find(({ key }) => key === stepKey)?.type ?? null
}

function withStatus(standing: readonly Standing[], status: Standing['status']): Standing[] {
  return standing.filter((group) => group.status === status)
}

function reasonsOf(standing: readonly Standing[]): Record<string, number> {
  const reasons: Record<string, number> = {}
  for (const { reason, people } of standing) reasons[reason ?? 'unknown'] = (reasons[reason ?? 'unknown'] ?? 0) + people
  return reasons
}

function sum(standing: readonly Standing[]): number {
  return standing.reduce((total, { people }) => total + people, 0)
}
