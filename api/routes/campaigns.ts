import { z } from 'zod'
import { campaignCounts, findCampaign, insertCampaign, listCampaigns } from '../../db/campaigns.ts'
import type { Tx } from '../../db/client.ts'
import { currentOrganisation } from '../../db/organisations.ts'
import { enqueueStart } from '../../db/outbox.ts'
import { changeCounts, countGoneProspects, goneUnknownBecause } from '../../db/saved-searches.ts'
import { findSequence } from '../../db/sequences.ts'
import { findSheetExport } from '../../db/sheet-exports.ts'
import { NewCampaign } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { campaignId, type ProspectCampaignInput } from '../../workflows/contracts/prospect-campaign.ts'
import { demand } from '../entitled.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, invalidInput, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import {
  Campaign,
  CampaignParams,
  CampaignWithCounts,
  campaignAnswer,
  campaignLinks,
  StartedCampaign,
  sheetAnswer,
} from './campaign-answers.ts'
import { defineCampaign, summaryOf } from './campaign-definition.ts'

const tag = 'Campaigns'

/** A campaign with ten thousand websites, as JSON. */
const campaignBodyLimit = 2_500_000

export function campaignRoutes({
  missingForSearch,
}: {
  /** The setting without which no search can be made; null when all is there. */
  missingForSearch: string | null
}): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/campaigns',
      permission: 'campaigns:write',
      tag,
      summary: 'Start a campaign',
      description:
        'Finds businesses by searches, by your own list of websites, or by both; reads their websites, scores them and exports the list.',
      body: NewCampaign,
      example: {
        name: 'Dentists in Austin',
        searches: [{ engine: 'google_maps', query: 'dentist', location: 'Austin, Texas', depth: 'standard' }],
        websites: ['corner-bakery.test', { website: 'https://www.example.com', name: 'Example' }],
        exclusions: ['competitor.com'],
      },
      bodyLimit: campaignBodyLimit,
      problems: ['not_allowed_now', 'payment_required', 'limit_reached'],
      success: {
        status: 202,
        description: 'The campaign is stored and starts as soon as it can, even if Temporal is away at the moment.',
        schema: StartedCampaign,
        headers: { Location: 'The path of the campaign' },
      },
      async handler({ body, caller, requestId, now, answerAs }) {
        const definition = defineCampaign(body)
        if (definition.searches.length > 0 && missingForSearch !== null) {
          throw new Problem('not_allowed_now', `No search can be made: the setting ${missingForSearch} is missing.`)
        }
        if (definition.enrol && !caller.permissions.includes('messages:send')) {
          throw new Problem('forbidden', 'To enrol prospects needs the permission messages:send.')
        }
        return answerAs(async (tx) => {
          await demand(tx, demandOf(definition), now)
          if (definition.enrol) await checkSequence(tx, definition.enrol.sequenceId)
          const country = body.country ?? (await currentOrganisation(tx)).country
          const actor = `key:${caller.keyId}`
          const id = await insertCampaign(tx, {
            name: body.name,
            definition: { country, ...definition },
            budgetSearches: body.budget?.searches ?? null,
            approval: body.approval ?? null,
            actor,
            now,
          })
          const args = { organisationId: caller.organisationId, campaignId: id } satisfies ProspectCampaignInput
          const workflowId = campaignId(id)
          const summary = summaryOf(definition)
          await enqueueStart(tx, { workflowId, name: 'prospectCampaign', args, subjectId: id, summary, requestId }, now)
          const links = campaignLinks(id, definition.export.formats)
          return {
            body: { id, workflowId, status: 'queued', links },
            headers: { location: links.self },
            workflowIds: [workflowId],
          }
        })
      },
    }),

    route({
      method: 'get',
      path: '/campaigns',
      permission: 'campaigns:read',
      tag,
      summary: 'List campaigns',
      description: 'The newest first.',
      query: PageQuery.extend({
        savedSearchId: z
          .uuid()
          .toLowerCase()
          .optional()
          .meta({ description: 'Only the runs that the schedule of this campaign has begun' }),
      }),
      success: { status: 200, description: 'A page of campaigns', schema: Page(Campaign) },
      async handler({ query: { limit, cursor, savedSearchId }, as }) {
        const page = { limit: limit + 1, before: cursor ?? null, savedSearchId }
        const rows = await as((tx) => listCampaigns(tx, page))
        return { body: pageOf(rows, limit, campaignAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/campaigns/{id}',
      permission: 'campaigns:read',
      tag,
      summary: 'Read a campaign',
      params: CampaignParams,
      success: { status: 200, description: 'The campaign with its counts so far', schema: CampaignWithCounts },
      handler: ({ params, as }) =>
        as(async (tx) => {
          const campaign = found(await findCampaign(tx, params.id), 'campaign')
          const counts = await campaignCounts(tx, campaign.id)
          const gone = (await goneUnknownBecause(tx, campaign)) ? null : await countGoneProspects(tx, campaign)
          const changes = { ...(await changeCounts(tx, campaign.id)), gone }
          const sheet = sheetAnswer(await findSheetExport(tx, campaign.id))
          return { body: { ...campaignAnswer(campaign), counts, changes, sheet } }
        }),
    }),
  ]
}

function demandOf({ searches, export: { sheet }, enrol }: ReturnType<typeof defineCampaign>) {
  const features = [
    'campaigns' as const,
    ...(sheet ? ['spreadsheet-export' as const] : []),
    ...(enrol ? ['campaign-enrolment' as const] : []),
  ]
  return { features, isCostly: true, searches: searches.length > 0 }
}

/** Throws unless people may enter it, now or once it is published. */
async function checkSequence(tx: Tx, sequenceId: string): Promise<void> {
  const sequence = await findSequence(tx, sequenceId)
  const pointer = '/enrol/sequenceId'
  if (!sequence) throw invalidInput([{ pointer, detail: 'There is no such sequence.' }])
  if (sequence.status === 'archived') {
    throw invalidInput([{ pointer, detail: 'This sequence is archived: nobody enters it again.' }])
  }
}
