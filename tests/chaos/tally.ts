import { z } from 'zod'
import type { ApiClient } from '../../dev/api-client.ts'
import { valuesOf } from '../support/google.ts'
import type { WholeSystem } from '../support/whole-system.ts'
import { labelOf } from './expected-prospects.ts'

const Campaigns = z.object({ data: z.array(z.object({ id: z.string() })) })
const Campaign = z.object({
  counts: z.object({ searchesPaid: z.number() }),
  sheet: z.object({ url: z.string() }),
})
const Prospects = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      name: z.string().nullable(),
      website: z.string().nullable(),
      address: z.string().nullable(),
      status: z.string(),
      failure: z.object({ code: z.string() }).nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
})
type Prospect = z.infer<typeof Prospects>['data'][number]

/**
 * What came of a campaign, counted where it can be seen from outside: in the API's list, on the sheet itself, and in the sandbox's
 * ledger. `expected`: the labels of all businesses there are to find.
 */
export async function tally(system: WholeSystem, api: ApiClient, id: string, expected: ReadonlySet<string>) {
  const campaign = Campaign.parse(await api.get(`/campaigns/${id}`))
  const { data: campaigns } = Campaigns.parse(await api.get('/campaigns'))
  const listed = await listOf(api, id)
  const [, ...keys] = (await valuesOf(system, campaign.sheet.url.split('/').at(-1) ?? '', 'A:A')).map(([key]) => key)
  const billed = (await system.requests('serpapi')).filter((request) => request.billed).map(({ path }) => path)
  const google = await system.requests('google')
  const refused = [...google, ...(await system.requests('serpapi'))].filter(({ fault }) => fault === 'status')
  const visits = (await system.requests('websites')).filter(
    ({ host, path }) => path === '/robots.txt' && host.startsWith(ownSitePrefix),
  )

  const inSheet = new Set(keys)
  const kept = new Set(listed.filter((one) => inSheet.has(one.id) && wasRead(one)).map(labelOf))
  const { searchesPaid } = campaign.counts
  return {
    /** Neither listed, read and in the sheet. */
    lost: [...expected].filter((label) => !kept.has(label)).length,
    /** Rows and list entries of businesses that have one already, and campaigns beside the one. */
    duplicates: repeated(keys) + repeated(listed.map(labelOf)) + campaigns.length - 1,
    /** Identical searches that the provider billed again, and searches booked that were not billed or the other way round. */
    paidTwice: repeated(billed) + Math.abs(searchesPaid - billed.length),
    /** How often it waited for a person to mend what mended itself. */
    parked: await timesParked(api, id),
    prospects: listed.length,
    sheetRows: keys.length,
    searchesPaid,
    searchesBilled: billed.length,
    droppedAppends: google.filter(({ fault }) => fault === 'accept-then-drop').length,
    refusedCalls: refused.length,
    /** Visits of the own list's sites beyond the first of each: those that were cut short. */
    readAgain: repeated(visits.map(({ host }) => host)),
  }
}

/** How the sites of the campaign's own list are called. */
export const ownSitePrefix = 'chaos-'

async function listOf(api: ApiClient, id: string): Promise<Prospect[]> {
  const listed: Prospect[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = Prospects.parse(
      await api.get(`/campaigns/${id}/prospects?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`),
    )
    listed.push(...page.data)
    cursor = page.nextCursor
  }
  return listed
}

async function timesParked(api: ApiClient, id: string): Promise<number> {
  let parked = 0
  for await (const { type } of api.events(`/campaigns/${id}/events`)) if (type === 'campaign.waiting') parked += 1
  return parked
}

/** The farm's certificate is one that nobody trusts: whoever has only https there cannot be read in calm weather either. */
function wasRead({ status, failure }: Prospect): boolean {
  return status === 'done' && (failure === null || failure.code === 'bad_certificate')
}

function repeated(items: readonly unknown[]): number {
  return items.length - new Set(items).size
}
