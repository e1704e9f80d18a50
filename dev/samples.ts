import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { providerMode } from '../config.ts'
import { serveFolder } from '../providers/websites/sandbox.ts'
import { type ApiClient, createApiClient } from './api-client.ts'
import { followBilling } from './billing-sample.ts'
import { followDrip, tellingWebsites } from './drip-sample.ts'
import { setUpDrip } from './drip-setup.ts'
import { type SampleOrganisation, sampleCustomer, sampleOrganisation, samplePlatform } from './sample-organisations.ts'
import type { SampleContext, Story } from './stories.ts'
import { lookUpStory } from './story-look-ups.ts'

/** A campaign over searches and an own list in which some sites misbehave on purpose. */
const sampleCampaign = {
  name: 'Sample: dentists and bakeries in Austin',
  searches: [
    { engine: 'google', query: 'dentist', location: 'Austin, Texas', limit: 30 },
    { engine: 'google_maps', query: 'dentist', location: 'Austin, Texas', limit: 20 },
    { engine: 'google_maps', query: 'bakery', location: 'Austin, Texas', limit: 20 },
  ],
  websites: [
    'corner-bakery.test',
    'http://www.corner-bakery.test/about',
    'hangs.test',
    'redirects-forever.test',
    'private-address.test',
  ],
  exclusions: ['our-own-shop.test'],
  export: { sheet: { people: [{ emailAddress: 'sales@our-own-shop.test' }] } },
}

/** As long as a request that was killed with the API keeps its key, and some more. */
const patienceMs = 90_000

/**
 * Plays the sample stories through the public API and tells how they go. The idempotency key is always the same, so that a start after
 * a kill follows the campaign that is there, and a finished one is reported again. A folder of sites is a new campaign each time.
 */
export async function runSamples(context: SampleContext): Promise<Story[]> {
  const { sitesDir } = context
  const api = clientOf(context, await sampleOrganisation(context))
  if (sitesDir === undefined) return [...(await findAndWrite(context, api)), ...(await subscribe(context))]
  const websites = [...(await serveFolder(sitesDir)).keys()].map((host) => `http://${host}/`)
  return [await follow(context, api, { name: 'Sites of a folder', websites }, crypto.randomUUID())]
}

function clientOf({ urls, signal }: SampleContext, { apiKey }: SampleOrganisation): ApiClient {
  return createApiClient(urls.api, apiKey, signal, { patienceMs })
}

async function findAndWrite(context: SampleContext, api: ApiClient): Promise<Story[]> {
  const { say, config } = context
  if (providerMode(config, 'serpapi') === 'live') {
    say(
      'SERPAPI_API_KEY is set, so the sample leaves its searches out, and enrols nobody: it does not spend your money.',
    )
    const { searches: _, export: __, ...ownList } = sampleCampaign
    return [await follow(context, api, ownList, 'sample/prospect-campaign/own-list')]
  }
  if (providerMode(config, 'resend') === 'live') {
    say('RESEND_API_KEY is set, so the sample enrols nobody: it does not write to strangers.')
    return [await follow(context, api, sampleCampaign, 'sample/prospect-campaign')]
  }
  const drip = await setUpDrip(api)
  const enrolling = {
    ...sampleCampaign,
    websites: [...sampleCampaign.websites, ...tellingWebsites],
    enrol: { sequenceId: drip.sequenceId, minScore: 50 },
  }
  const campaign = await follow(context, api, enrolling, 'sample/prospect-campaign/enrolling')
  return [campaign, await followDrip(context, api, drip)]
}

async function subscribe(context: SampleContext): Promise<Story[]> {
  const { say, config } = context
  if (providerMode(config, 'stripe') === 'live' || providerMode(config, 'resend') === 'live') {
    say('STRIPE_SECRET_KEY or RESEND_API_KEY is set, so the sample subscribes to nothing: it moves no money.')
    return []
  }
  const subscriber = await sampleCustomer(context)
  const customer = clientOf(context, subscriber)
  const operator = clientOf(context, await samplePlatform(context))
  return [await followBilling({ context, customer, operator }, subscriber.organisationId)]
}

const Accepted = z.object({ id: z.uuid(), workflowId: z.string() })
const Campaign = z.object({
  status: z.string(),
  problem: z.string().nullable(),
  counts: z.record(z.string(), z.number()),
  sheet: z.object({ url: z.string().nullable() }).nullable(),
})
const Report = z.object({
  enrolment: z.object({ enrolled: z.number(), refused: z.record(z.string(), z.number()) }).nullable(),
})

/** Starts a campaign, shows its progress, saves its exports, and says what became of it. Throws unless it was completed. */
async function follow(
  { say, config, signal }: SampleContext,
  api: ApiClient,
  campaign: { name: string; [field: string]: unknown },
  idempotencyKey: string,
): Promise<Story> {
  const { id, workflowId } = Accepted.parse(await api.post('/campaigns', campaign, idempotencyKey))
  say(`\n${campaign.name} (${workflowId})`)
  for await (const { type, data } of api.events(`/campaigns/${id}/events`)) {
    say(`  ${describe(type, data)}`)
    if (type === 'campaign.waiting') throw new Error(`campaign ${id} waits: ${JSON.stringify(data)}`)
  }
  signal.throwIfAborted()
  const { status, problem, counts, sheet } = Campaign.parse(await api.get(`/campaigns/${id}`))
  const exports = join(config.dataDir, 'exports')
  mkdirSync(exports, { recursive: true })
  const prospects = await api.text(`/campaigns/${id}/export.json`)
  writeFileSync(join(exports, `${id}.csv`), await api.text(`/campaigns/${id}/export.csv`))
  writeFileSync(join(exports, `${id}.json`), prospects)
  say(`  ${status}: ${counts.prospects} businesses, exported to ${join(exports, `${id}.csv`)}`)
  if (sheet?.url) say(`  spreadsheet: ${sheet.url}`)
  const { enrolment } = Report.parse(await api.get(`/campaigns/${id}/report`))
  if (enrolment)
    say(`  enrolled ${[`${enrolment.enrolled}`, ...Object.entries(enrolment.refused).map(refusal)].join(', ')}`)
  if (status !== 'completed') throw new Error(`campaign ${id} ended as ${status}, ${problem ?? 'no problem given'}`)
  return {
    name: campaign.name,
    ids: { campaignId: id },
    workflowId,
    ...(await lookUpStory(config, workflowId)),
    counts,
    result: { status, export: JSON.parse(prospects) },
  }
}

function refusal([reason, prospects]: [string, number]): string {
  return `not ${prospects}: ${reason}`
}

const Staged = z.object({ stage: z.string() })
const Progress = z.object({
  stage: z.string(),
  done: z.number(),
  total: z.number(),
  ratePerSecond: z.number().nullable(),
  etaSeconds: z.number().nullable(),
})

function describe(type: string, data: unknown): string {
  const progress = Progress.safeParse(data)
  if (!progress.success) return type === 'campaign.stage_changed' ? `stage ${Staged.parse(data).stage}` : type
  const { stage, done, total, ratePerSecond, etaSeconds } = progress.data
  const pace = ratePerSecond === null ? '' : `, ${ratePerSecond}/s${etaSeconds ? `, ${etaSeconds} s to go` : ''}`
  return `${stage}: ${done} of ${total}${pace}`
}
