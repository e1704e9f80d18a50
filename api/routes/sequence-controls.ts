import type { Tx } from '../../db/client.ts'
import { cohortsUnderWay, exitCohort } from '../../db/enrolments.ts'
import { findSequence, findSequenceVersion, lockSequence, setSequenceStatus } from '../../db/sequences.ts'
import { wakeSequences } from '../../db/waking.ts'
import type { SequenceStatus } from '../../workflows/contracts/sequences.ts'
import type { Handover } from '../handover.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { Sequence, SequenceParams, sequenceAnswer } from './sequence-answers.ts'
import { checkSender } from './sequence-definition.ts'

const tag = 'Sequences'

type Action = 'publish' | 'pause' | 'resume'

interface Control {
  from: SequenceStatus
  to: SequenceStatus
  summary: string
  description: string
}

const controls: Record<Action, Control> = {
  publish: {
    from: 'draft',
    to: 'live',
    summary: 'Publish a sequence',
    description: 'From now on people may enter. Its sender needs a postal address for marketing.',
  },
  pause: {
    from: 'live',
    to: 'paused',
    summary: 'Pause a sequence',
    description: 'Nothing new is sent, what is being sent is finished; everyone keeps their place, and nobody enters.',
  },
  resume: {
    from: 'paused',
    to: 'live',
    summary: 'Resume a sequence',
    description: 'People may enter again, and everyone goes on from their place.',
  },
}

export function sequenceControlRoutes({ handover }: { handover: Pick<Handover, 'begin'> }): Endpoint[] {
  return [
    ...(['publish', 'pause', 'resume'] as const).map((action) => {
      const { from, to, summary, description } = controls[action]
      return route({
        method: 'post',
        path: `/sequences/{id}/${action}`,
        permission: 'sequences:write',
        tag,
        summary,
        description: `${description} Allowed while the sequence is ${from}.`,
        params: SequenceParams,
        problems: action === 'pause' ? ['wrong_state'] : ['wrong_state', 'not_allowed_now'],
        success: { status: 200, description: 'The sequence now', schema: Sequence },
        handler: ({ params: { id }, requestId, now, answerAs }) =>
          answerAs(async (tx) => {
            const { status, version } = found(await lockSequence(tx, id), 'sequence')
            if (status !== from) {
              throw new Problem('wrong_state', `The sequence is ${status}; ${action} is for one that is ${from}.`)
            }
            if (to === 'live')
              await checkSender(tx, found(await findSequenceVersion(tx, id, version), 'version').definition)
            await setSequenceStatus(tx, id, to, now)
            const workflowIds = action === 'resume' ? await wakeSequences(tx, [id], { requestId, now }) : []
            return { body: await currentAnswer(tx, id), workflowIds }
          }),
      })
    }),

    route({
      method: 'post',
      path: '/sequences/{id}/archive',
      permission: 'sequences:write',
      tag,
      summary: 'Archive a sequence',
      description: `Ends it for good: nobody enters any more, and whoever is under way exits with the reason \`sequence_archived\`. Allowed at any time; asked
again, it ends what a request that was cut off has left.`,
      params: SequenceParams,
      success: { status: 200, description: 'The sequence now', schema: Sequence },
      async handler({ params: { id }, requestId, now, as }) {
        // First the sequence itself, by which nobody enters and nothing is claimed any more; then its people, a cohort at a time.
        const cohortIds = await as(async (tx) => {
          const { status } = found(await lockSequence(tx, id), 'sequence')
          if (status !== 'archived') await setSequenceStatus(tx, id, 'archived', now)
          return cohortsUnderWay(tx, id)
        })
        for (const cohortId of cohortIds) {
          const workflowIds = await as((tx) => exitCohort(tx, cohortId, { requestId, now }))
          for (const workflowId of workflowIds) handover.begin(workflowId)
        }
        return { body: await as((tx) => currentAnswer(tx, id)) }
      },
    }),
  ]
}

async function currentAnswer(tx: Tx, id: string) {
  return sequenceAnswer(found(await findSequence(tx, id), 'sequence'))
}
