import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import { goneUnknownBecause, listGoneProspects } from '../../db/saved-searches.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignParams } from './campaign-answers.ts'
import { businessFields } from './prospect-answers.ts'

const GoneProspect = z
  .strictObject({
    ...businessFields,
    score: z.int().min(0).max(100).nullable().meta({ description: 'As the run before found it' }),
  })
  .meta({ id: 'GoneProspect' })

/** Why it cannot be told what is gone. */
const reasons = {
  nothing_before: 'When this campaign began there was no completed run before it to compare it with.',
  searching: 'The campaign has not done searching: what it has not found yet may still come.',
  search_given_up: 'A search of this campaign was given up: what it did not find may be there all the same.',
}

export function goneProspectRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/campaigns/{id}/gone',
      permission: 'prospects:read',
      tag: 'Prospects',
      summary: 'List the prospects that are gone',
      description:
        'Of a run of a saved search: those that the completed run before it had and this one has not found again. Known once it has done searching.',
      params: CampaignParams,
      query: PageQuery,
      problems: ['wrong_state'],
      success: { status: 200, description: 'A page of prospects', schema: Page(GoneProspect) },
      async handler({ params: { id }, query: { limit, cursor }, as }) {
        const rows = await as(async (tx) => {
          const campaign = found(await findCampaign(tx, id), 'campaign')
          const reason = await goneUnknownBecause(tx, campaign)
          if (reason !== null) throw new Problem('wrong_state', reasons[reason])
          return listGoneProspects(tx, campaign, { after: cursor ?? null, limit: limit + 1 })
        })
        return { body: pageOf(rows, limit, (row) => row) }
      },
    }),
  ]
}
