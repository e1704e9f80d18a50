import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import { enqueueStart } from '../../db/outbox.ts'
import { currentScoringRules } from '../../db/scoring-rules.ts'
import { type ProspectRescoringInput, rescoringId } from '../../workflows/contracts/prospect-rescoring.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignLinks, CampaignParams, campaignLinks } from './campaign-answers.ts'

const StartedRescoring = z
  .strictObject({
    workflowId: z.string(),
    status: z.literal('queued'),
    rulesVersion: z
      .int()
      .min(0)
      .meta({ description: 'Prospects have this `rulesVersion`, or a later one, once it is done' }),
    links: CampaignLinks,
  })
  .meta({ id: 'StartedRescoring' })

export function campaignRescoringRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/campaigns/{id}/rescore',
      permission: 'campaigns:write',
      tag: 'Scoring',
      summary: "Score a campaign's prospects anew",
      description: `By your rules of now, from what is known already: nothing is searched, read or bought again. A campaign
that has yet to come to the stage \`score\` does this by itself. What is scored by these rules already is left alone. A Google spreadsheet
keeps what was written into it; the CSV and JSON exports show the new scores.`,
      params: CampaignParams,
      success: {
        status: 202,
        description: 'It is done as soon as it can be, even if Temporal is away at the moment.',
        schema: StartedRescoring,
      },
      async handler({ params: { id }, caller, requestId, now, answerAs }) {
        return answerAs(async (tx) => {
          const campaign = found(await findCampaign(tx, id), 'campaign')
          const { version: rulesVersion } = await currentScoringRules(tx)
          const workflowId = rescoringId(id, randomUUID())
          const args = { organisationId: caller.organisationId, campaignId: id } satisfies ProspectRescoringInput
          const summary = `Rescoring by version ${rulesVersion} of the rules, or a later one`
          await enqueueStart(
            tx,
            { workflowId, name: 'prospectRescoring', args, subjectId: id, summary, requestId },
            now,
          )
          return {
            body: { workflowId, status: 'queued', rulesVersion, links: campaignLinks(id, campaign.export.formats) },
            workflowIds: [workflowId],
          }
        })
      },
    }),
  ]
}
