import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { stringify } from 'csv-stringify/sync'
import { z } from 'zod'
import { type Campaign, findCampaign } from '../../db/campaigns.ts'
import { type CampaignProspect, listCampaignProspects, type ProspectFilter } from '../../db/prospects.ts'
import { isFinished } from '../../workflows/contracts/prospect-campaign.ts'
import { found, Problem } from '../problem.ts'
import { type Call, type Endpoint, type Success, streamRoute } from '../route.ts'
import { CampaignParams } from './campaign-answers.ts'
import { CampaignProspectAnswer, campaignProspectAnswer } from './prospect-answers.ts'
import { filterOf, ProspectFilters } from './prospect-filters.ts'

/** Read at a time, so that an export of any length takes the memory of one page. */
const rowsPerPage = 500

const JsonExport = z
  .strictObject({
    campaign: z.strictObject({
      id: z.uuid(),
      name: z.string(),
      status: z.string(),
      finished: z.boolean().meta({ description: 'While it is not, prospects may be missing or not yet scored' }),
    }),
    data: z.array(CampaignProspectAnswer),
  })
  .meta({ id: 'CampaignExportFile' })

export function campaignExportRoutes(): Endpoint[] {
  return [
    exportRoute('csv', csvText, {
      description:
        'UTF-8, comma-separated, with a header line. Cells that a spreadsheet would run as formulas begin with an apostrophe.',
      mediaType: 'text/csv',
      schema: z.string(),
    }),
    exportRoute('json', jsonText, {
      description: 'The campaign and its prospects in one object.',
      mediaType: 'application/json',
      schema: JsonExport,
    }),
  ]
}

type Pages = AsyncIterable<readonly CampaignProspect[]>

function exportRoute(
  format: 'csv' | 'json',
  textOf: (campaign: Campaign, pages: Pages) => AsyncIterable<string>,
  file: Pick<Success, 'description' | 'mediaType' | 'schema'>,
): Endpoint {
  return streamRoute({
    method: 'get',
    path: `/campaigns/{id}/export.${format}`,
    permission: 'prospects:read',
    tag: 'Exports',
    summary: `Export a campaign's prospects as ${format.toUpperCase()}`,
    description:
      'At any time: while the campaign runs, what there is so far. Those below `minScore`, else `export.minScore`, are left out.',
    params: CampaignParams,
    query: ProspectFilters,
    success: {
      status: 200,
      ...file,
      headers: {
        'Throughline-Campaign-Status': 'Whether the campaign was still running, and so the export not complete',
      },
    },
    async handler({ params: { id }, query, as }, response) {
      const filter = filterOf(query)
      const campaign = found(await as((tx) => findCampaign(tx, id)), 'campaign')
      if (!campaign.export.formats.includes(format)) {
        throw new Problem('not_found', `This campaign was started without the export format ${format}.`)
      }
      response.set({
        'content-type': `${file.mediaType}; charset=utf-8`,
        'content-disposition': `attachment; filename="campaign-${id}.${format}"`,
        'throughline-campaign-status': campaign.status,
      })
      // One page ahead of the client at most; when the client goes away, the pipeline ends the reading.
      const text = Readable.from(textOf(campaign, pagesOf(campaign, filter, as)), { highWaterMark: 1 })
      await pipeline(text, response)
    },
  })
}

async function* pagesOf(campaign: Campaign, filter: ProspectFilter, as: Call<unknown, unknown>['as']): Pages {
  const wanted = { ...filter, minScore: filter.minScore ?? campaign.export.minScore }
  for (let after: string | null = null; ; ) {
    const page: CampaignProspect[] = await as((tx) =>
      listCampaignProspects(tx, campaign.id, { after, limit: rowsPerPage }, wanted),
    )
    yield page
    const last = page.at(-1)
    if (!last || page.length < rowsPerPage) return
    after = last.id
  }
}

async function* csvText(_campaign: Campaign, pages: Pages): AsyncIterable<string> {
  yield stringify([csvColumns])
  for await (const page of pages) yield stringify(page.map(csvCells), { escape_formulas: true })
}

const csvColumns = [
  'name',
  'website',
  'phone',
  'address',
  'emails',
  'phones',
  'title',
  'https',
  'viewport',
  'cms',
  'tracking',
  'booking',
  'socials',
  'language',
  'copyrightYear',
  'score',
  'reasons',
  'sightings',
  'runsAds',
  'failure',
  'failureDetail',
  'prospectId',
  'change',
  'changed',
]

function csvCells(prospect: CampaignProspect): (string | number | null)[] {
  const { id, name, website, phone, address, analysis, score, reasons, sightings, runsAds } = prospect
  return [
    name,
    website,
    phone,
    address,
    analysis && analysis.emails.join('; '),
    analysis && analysis.phones.join('; '),
    analysis && analysis.title,
    analysis && String(analysis.https),
    analysis && String(analysis.viewport),
    analysis?.cms ?? null,
    (analysis?.tracking ?? []).join('; '),
    (analysis?.booking ?? []).join('; '),
    (analysis?.socials ?? []).map(({ url }) => url).join('; '),
    analysis?.language ?? null,
    analysis?.copyrightYear ?? null,
    score,
    (reasons ?? []).map(({ text, points }) => `${text} (${points})`).join('; '),
    sightings,
    String(runsAds),
    prospect.failure,
    prospect.failureDetail,
    id,
    prospect.change,
    (prospect.changed ?? []).join('; '),
  ]
}

async function* jsonText(campaign: Campaign, pages: Pages): AsyncIterable<string> {
  const { id, name, status } = campaign
  yield `{"campaign":${JSON.stringify({ id, name, status, finished: isFinished(campaign) })},"data":[`
  let separator = '\n'
  for await (const page of pages) {
    if (page.length === 0) break
    yield separator + page.map((prospect) => JSON.stringify(campaignProspectAnswer(prospect))).join(',\n')
    separator = ',\n'
  }
  yield '\n]}\n'
}
