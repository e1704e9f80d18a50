import { z } from 'zod'
import { listSearches, type SearchHistoryRow } from '../../db/searches.ts'
import { Page, PageQuery, pageOf } from '../paging.ts'
import { type Endpoint, route } from '../route.ts'

const SearchHistory = z
  .strictObject({
    id: z.uuid().meta({ description: 'The `searchId` of sightings' }),
    campaignId: z.uuid(),
    engine: z.enum(['google', 'google_maps']),
    query: z.string().nullable().meta({ description: 'Null for pages that earlier versions asked for' }),
    location: z.string().nullable(),
    page: z.int().min(0).meta({ description: 'From 0' }),
    status: z.enum(['asking', 'refused', 'done', 'failed']).meta({
      description: `\`asking\`: not answered yet. \`refused\`: the provider took nothing; what was booked pays for the next try. \`failed\`: given
up, paid twice without an answer.`,
    }),
    results: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'How many it brought, ads not counted; null until it is done' }),
    paid: z.int().min(0).meta({ description: 'Searches booked for it, before they were made' }),
    askedAt: z.iso
      .datetime()
      .meta({ description: 'When it was booked, the second time where it was twice, or tried again after a refusal' }),
  })
  .meta({ id: 'SearchHistory' })

export function searchRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/searches',
      permission: 'campaigns:read',
      tag: 'Searches',
      summary: 'List the searches that were paid for',
      description: 'Each page of results that a campaign bought, the newest first.',
      query: PageQuery.extend({
        campaignId: z.uuid().toLowerCase().optional().meta({ description: 'Only those of this campaign' }),
      }),
      success: { status: 200, description: 'A page of searches', schema: Page(SearchHistory) },
      async handler({ query: { limit, cursor, campaignId }, as }) {
        const rows = await as((tx) =>
          listSearches(tx, { limit: limit + 1, before: cursor ?? null, campaignId: campaignId ?? null }),
        )
        return { body: pageOf(rows, limit, searchAnswer) }
      },
    }),
  ]
}

function searchAnswer({ askedAt, ...row }: SearchHistoryRow): z.input<typeof SearchHistory> {
  return { ...row, askedAt: askedAt.toISOString() }
}
