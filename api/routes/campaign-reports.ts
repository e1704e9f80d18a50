import { z } from 'zod'
import { campaignFailures, campaignSeconds, scoreCounts, stageSeconds } from '../../db/campaign-reports.ts'
import { campaignCounts, findCampaign, searchCount } from '../../db/campaigns.ts'
import { prospectEnrolmentCounts } from '../../db/prospect-enrolments.ts'
import { bestProspects } from '../../db/prospects.ts'
import { countEndedSearches } from '../../db/searches.ts'
import { sheetRowCount } from '../../db/sheet-exports.ts'
import { campaignStages } from '../../workflows/contracts/prospect-campaign.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignCounts, CampaignParams, CampaignState } from './campaign-answers.ts'
import { CampaignProspectAnswer, campaignProspectAnswer } from './prospect-answers.ts'
import { scoreSpread } from './score-spread.ts'

/** As many as somebody looks through before approving. */
const sampleSize = 10

const count = z.int().min(0)
const seconds = count.meta({ description: 'Pauses and waits included' })

const Report = CampaignState.extend({
  seconds: seconds.nullable().meta({ description: 'From its start until its end or now, pauses and waits included' }),
  stages: z.array(z.strictObject({ stage: z.enum(campaignStages), startedAt: z.iso.datetime(), seconds })),
  counts: CampaignCounts,
  searches: z.strictObject({
    wanted: count,
    ended: count,
    paid: count,
    budget: count.nullable(),
  }),
  failures: z
    .array(z.strictObject({ code: z.string().meta({ example: 'dns_not_found' }), sites: count }))
    .meta({ description: 'Why websites could not be read, the most frequent reason first' }),
  scores: z.strictObject({
    scored: count,
    average: z.number().nullable(),
    tenths: z.array(count).length(10).meta({ description: 'How many score 0-9, 10-19, ... 90-100' }),
  }),
  rowsExported: count.meta({
    description:
      "The campaign's prospects that are in the spreadsheet by now, whichever run of the saved search has put them there",
  }),
  enrolment: z
    .strictObject({
      enrolled: count,
      refused: z.record(z.string(), count).meta({
        description:
          'By reason. `no_email`: the site shows none. `already_under_way`, `entered_before`: they, or somebody with the same address. `not_found`: the contact was erased',
      }),
    })
    .nullable()
    .meta({ description: 'Of the prospects that were to enter a sequence; null where none are' }),
  best: z.array(CampaignProspectAnswer).max(sampleSize).meta({ description: 'The best prospects so far' }),
}).meta({ id: 'CampaignReport' })

export function campaignReportRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/campaigns/{id}/report',
      permission: 'campaigns:read',
      tag: 'Campaigns',
      summary: "Read a campaign's report",
      description:
        'Counts and time per stage, searches paid, failures by reason, scores, and the ten best prospects. At any time.',
      params: CampaignParams,
      success: { status: 200, description: 'The report as of now', schema: Report },
      handler: ({ params, as, now }) =>
        as(async (tx) => {
          const campaign = found(await findCampaign(tx, params.id), 'campaign')
          const { id, status, stage, waitingFor, problem, budgetSearches } = campaign
          const counts = await campaignCounts(tx, id)
          const stages = await stageSeconds(tx, id, campaign.finishedAt ?? now)
          const failures = await campaignFailures(tx, id)
          const { scored, average, bands } = scoreSpread(await scoreCounts(tx, id), 10)
          return {
            body: {
              status,
              stage,
              waitingFor,
              problem,
              seconds: campaignSeconds(campaign, now),
              stages: stages.map((entered) => ({ ...entered, startedAt: entered.startedAt.toISOString() })),
              counts,
              searches: {
                wanted: await searchCount(tx, id),
                ended: (await countEndedSearches(tx, id)).searches,
                paid: counts.searchesPaid,
                budget: budgetSearches,
              },
              failures: Object.entries(failures).map(([code, sites]) => ({ code, sites })),
              scores: { scored, average, tenths: bands.map(({ prospects }) => prospects) },
              rowsExported: await sheetRowCount(tx, id),
              enrolment: campaign.enrol && (await prospectEnrolmentCounts(tx, id)),
              best: (await bestProspects(tx, id, sampleSize)).map(campaignProspectAnswer),
            },
          }
        }),
    }),
  ]
}
