import { z } from 'zod'
import type { CampaignProspect } from '../../db/prospects.ts'

const Analysis = z
  .strictObject({
    title: z.string().nullable(),
    https: z.boolean().meta({ description: 'Whether the page came over HTTPS in the end' }),
    viewport: z.boolean().meta({ description: 'Whether it says how to show itself on a phone' }),
    emails: z.array(z.string()),
    phones: z.array(z.string()).meta({ description: 'E.164', example: ['+15125550123'] }),
    cms: z.string().nullable().optional().meta({ description: 'What the site is made with', example: 'wordpress' }),
    tracking: z
      .array(z.string())
      .optional()
      .meta({ description: 'What counts its visitors', example: ['ga4'] }),
    booking: z
      .array(z.string())
      .optional()
      .meta({ description: 'Where appointments are made', example: ['calendly'] }),
    socials: z
      .array(z.strictObject({ network: z.string().meta({ example: 'facebook.com' }), url: z.string() }))
      .optional()
      .meta({ description: "The business's own profiles" }),
    copyrightYear: z.int().nullable().optional(),
    language: z.string().nullable().optional().meta({ description: 'BCP 47', example: 'en-US' }),
    evidence: z
      .array(z.strictObject({ name: z.string(), quote: z.string().max(160) }))
      .optional()
      .meta({ description: "What proves cms, tracking and booking: pieces of the pages' own markup" }),
    responseMs: z.int().optional().meta({ description: 'How long the home page took to begin its answer' }),
    pages: z.array(z.string()).optional().meta({ description: 'The pages that were read' }),
  })
  .meta({ id: 'SiteAnalysis', description: 'Analyses by earlier versions lack what those did not look at' })

const Failure = z
  .strictObject({ code: z.string().meta({ example: 'bad_certificate' }), detail: z.string().nullable() })
  .meta({ id: 'SiteFailure', description: 'Why the website could not be read' })

export const ScoreReasons = z
  .array(z.strictObject({ text: z.string(), points: z.int() }))
  .meta({ description: 'What the score is made of' })

/** Of a campaign's look at one business. */
export const visitFields = {
  status: z.enum(['pending', 'reading', 'done']),
  failure: Failure.nullable(),
  analysis: Analysis.nullable(),
  score: z.int().min(0).max(100).nullable(),
  reasons: ScoreReasons,
  rulesVersion: z.int().min(0).nullable().meta({ description: 'By which version of the scoring rules' }),
  change: z
    .enum(['new', 'changed', 'same'])
    .nullable()
    .meta({
      description: `Since your organisation's last look at the business, by any campaign; null before the visit is over. A website that did not
answer for now is compared with nothing: its business is \`same\`, or \`new\` where nobody has looked before`,
    }),
  changed: z.array(z.string()).meta({
    description: 'Which facts: `site` (there or not, readable or lastingly not), or fields of the analysis',
    example: ['cms'],
  }),
}

export const businessFields = {
  id: z.uuid(),
  name: z.string().nullable(),
  website: z.string().nullable(),
  phone: z.string().nullable(),
  address: z.string().nullable(),
}

export const CampaignProspectAnswer = z
  .strictObject({
    ...businessFields,
    sightings: z.int().min(1).meta({ description: 'How often the searches and the list showed it' }),
    runsAds: z.boolean().meta({ description: "Whether one of the campaign's searches showed it as an ad" }),
    ...visitFields,
  })
  .meta({ id: 'CampaignProspect' })

export function campaignProspectAnswer(row: CampaignProspect): z.input<typeof CampaignProspectAnswer> {
  const { id, name, website, phone, address, sightings, runsAds } = row
  return { id, name, website, phone, address, sightings, runsAds, ...visitAnswer(row) }
}

export function visitAnswer(
  row: Pick<
    CampaignProspect,
    'status' | 'failure' | 'failureDetail' | 'analysis' | 'score' | 'reasons' | 'rulesVersion' | 'change' | 'changed'
  >,
) {
  return {
    status: row.status,
    failure: row.failure === null ? null : { code: row.failure, detail: row.failureDetail },
    analysis: row.analysis,
    score: row.score,
    reasons: row.reasons ?? [],
    rulesVersion: row.score === null ? null : row.rulesVersion,
    change: row.change,
    changed: row.changed ?? [],
  }
}
