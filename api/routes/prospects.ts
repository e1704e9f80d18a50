import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import { findProspect, listCampaignProspects, prospectSightings, prospectVisits } from '../../db/prospects.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignParams } from './campaign-answers.ts'
import {
  businessFields,
  CampaignProspectAnswer,
  campaignProspectAnswer,
  visitAnswer,
  visitFields,
} from './prospect-answers.ts'
import { filterOf, ProspectFilters } from './prospect-filters.ts'

const tag = 'Prospects'

/** Of sightings and of visits; a business that is seen more often is shown by its newest ones. */
const mostShown = 100

const Prospect = z
  .strictObject({
    ...businessFields,
    createdAt: z.iso.datetime(),
    sightings: z
      .array(
        z.strictObject({
          campaignId: z.uuid(),
          searchId: z.uuid(),
          engine: z.enum(['list', 'google', 'google_maps']).meta({ description: '`list` is your own list' }),
          page: z.int().meta({ description: 'From 0' }),
          position: z.int().meta({ description: 'Its place on the page, from 0; ads come after the results' }),
          isAd: z.boolean().meta({ description: 'Whether it was shown as an ad' }),
        }),
      )
      .meta({ description: `Each time a search or a list showed it, the newest ${mostShown}` }),
    visits: z
      .array(
        z.strictObject({
          campaignId: z.uuid(),
          campaignName: z.string(),
          finishedAt: z.iso.datetime().nullable(),
          ...visitFields,
        }),
      )
      .meta({ description: `What each campaign found out, the newest ${mostShown}` }),
  })
  .meta({ id: 'Prospect' })

export function prospectRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/campaigns/{id}/prospects',
      permission: 'prospects:read',
      tag,
      summary: "List a campaign's prospects",
      description:
        'In the order in which they were first found. Each business once, however often it was seen. Several filters narrow each other.',
      params: CampaignParams,
      query: PageQuery.extend(ProspectFilters.shape),
      success: { status: 200, description: 'A page of prospects', schema: Page(CampaignProspectAnswer) },
      async handler({ params: { id }, query: { limit, cursor, ...filters }, as }) {
        const filter = filterOf(filters)
        const rows = await as(async (tx) => {
          const campaign = found(await findCampaign(tx, id), 'campaign')
          return listCampaignProspects(tx, campaign.id, { after: cursor ?? null, limit: limit + 1 }, filter)
        })
        return { body: pageOf(rows, limit, campaignProspectAnswer) }
      },
    }),

    route({
      method: 'get',
      path: '/prospects/{id}',
      permission: 'prospects:read',
      tag,
      summary: 'Read a prospect',
      description: 'A business as your organisation knows it, over all campaigns.',
      params: z.strictObject({ id: z.uuid().toLowerCase() }),
      success: { status: 200, description: 'The prospect with its sightings and visits', schema: Prospect },
      handler: ({ params, as }) =>
        as(async (tx) => {
          const { createdAt, ...prospect } = found(await findProspect(tx, params.id), 'prospect')
          const sightings = await prospectSightings(tx, prospect.id, mostShown)
          const visits = await prospectVisits(tx, prospect.id, mostShown)
          return {
            body: {
              ...prospect,
              createdAt: createdAt.toISOString(),
              sightings: [...sightings],
              visits: visits.map((visit) => ({
                campaignId: visit.campaignId,
                campaignName: visit.campaignName,
                finishedAt: visit.finishedAt?.toISOString() ?? null,
                ...visitAnswer(visit),
              })),
            },
          }
        }),
    }),
  ]
}
