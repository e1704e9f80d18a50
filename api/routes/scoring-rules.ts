import { z } from 'zod'
import { findCampaign } from '../../db/campaigns.ts'
import { currentScoringRules, saveScoringRules, type VersionedRules } from '../../db/scoring-rules.ts'
import { ScoringRules } from '../../workflows/contracts/scoring-rules.schema.ts'
import type { ScoringRule } from '../../workflows/contracts/scoring-rules.ts'
import { demand } from '../entitled.ts'
import { found } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { previewScores, ScoringPreview } from './scoring-preview.ts'

const tag = 'Scoring'

/** A hundred rules of a usual length several times over. Each name in them is compared for each prospect while everybody else waits. */
const rulesBodyLimit = 64_000

const NewScoringRules = z.strictObject({ rules: ScoringRules }).meta({ id: 'NewScoringRules' })

const PreviewedRules = z
  .strictObject({
    rules: ScoringRules,
    campaignId: z.uuid().toLowerCase().meta({ description: 'Whose prospects to try the rules on' }),
  })
  .meta({ id: 'PreviewedScoringRules' })

const SavedRules = z
  .strictObject({
    version: z.int().min(0).meta({ description: 'Counts yours from 1; 0 are the rules that come with Throughline' }),
    rules: ScoringRules,
    actor: z.string().nullable().meta({ description: 'Who saved them; null for version 0' }),
    createdAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ScoringRules' })

const exampleRules: ScoringRule[] = [
  {
    reason: 'runs ads but has no booking system',
    points: 20,
    when: [
      { field: 'runsAds', is: true },
      { field: 'booking', has: 'none' },
    ],
  },
  { reason: 'made with a website builder', points: 15, when: [{ field: 'cms', in: ['wix', 'weebly', 'godaddy'] }] },
  { reason: 'copyright year long past', points: 10, when: [{ field: 'copyrightYear', atMost: 2020 }] },
  { reason: 'e-mail address known', points: 20, when: [{ field: 'hasEmail', is: true }] },
]

export function scoringRulesRoutes(): Endpoint[] {
  return [
    route({
      method: 'get',
      path: '/scoring-rules',
      permission: 'scoring-rules:read',
      tag,
      summary: 'Read the scoring rules',
      description: 'Those that prospects are scored by now.',
      success: { status: 200, description: 'The rules', schema: SavedRules },
      handler: async ({ as }) => ({ body: rulesAnswer(await as(currentScoringRules)) }),
    }),

    route({
      method: 'post',
      path: '/scoring-rules',
      permission: 'scoring-rules:write',
      tag,
      summary: 'Save scoring rules',
      description: `They become the next version and replace all others. Prospects that are analysed from now on, and campaigns that have yet to
come to the stage \`score\`, are scored by them; others keep their scores until they are scored anew.`,
      body: NewScoringRules,
      example: { rules: exampleRules },
      bodyLimit: rulesBodyLimit,
      problems: ['payment_required'],
      success: { status: 200, description: 'The rules with their version', schema: SavedRules },
      handler: ({ body: { rules }, caller, now, answerAs }) =>
        answerAs(async (tx) => {
          await demand(tx, { features: ['scoring-rules'] }, now)
          return { body: rulesAnswer(await saveScoringRules(tx, { rules, actor: `key:${caller.keyId}`, now })) }
        }),
    }),

    route({
      method: 'post',
      path: '/scoring-rules/preview',
      permission: 'prospects:read',
      tag,
      summary: 'Try scoring rules on a campaign',
      description:
        'Shows what the rules would make of the prospects that the campaign has scored so far. Nothing is saved.',
      body: PreviewedRules,
      example: { rules: exampleRules, campaignId: '0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30' },
      bodyLimit: rulesBodyLimit,
      problems: ['not_found'],
      success: { status: 200, description: 'The scores before and after', schema: ScoringPreview },
      async handler({ body: { rules, campaignId }, as }) {
        found(await as((tx) => findCampaign(tx, campaignId)), 'campaign')
        return { body: await previewScores(as, campaignId, rules) }
      },
    }),
  ]
}

function rulesAnswer({ version, rules, actor, createdAt }: VersionedRules): z.input<typeof SavedRules> {
  return { version, rules: [...rules], actor, createdAt: createdAt?.toISOString() ?? null }
}
