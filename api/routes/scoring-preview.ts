import { z } from 'zod'
import type { Tx } from '../../db/client.ts'
import { type ScoredProspect, scoredProspects } from '../../db/scores.ts'
import type { ScoringRule } from '../../workflows/contracts/scoring-rules.ts'
import { type Score, scoreProspect } from '../../workflows/rules/scoring.ts'
import { businessFields, ScoreReasons } from './prospect-answers.ts'
import { scoreSpread } from './score-spread.ts'

/** Read and scored at a time, so that a campaign of any size takes the memory of one page, and others are answered between two. */
const rowsPerPage = 200
const mostShown = 10
const bandWidth = 20

const count = z.int().min(0)
const points = z.int().min(0).max(100)

const Spread = z
  .strictObject({
    average: z.number().min(0).max(100).nullable().meta({ description: 'Null without prospects' }),
    bands: z
      .array(z.strictObject({ from: points, to: points, prospects: count }))
      .meta({ description: '0 to 19, 20 to 39, ... 80 to 100' }),
  })
  .meta({ id: 'ScoreSpread' })

const ScoreWithReasons = z.strictObject({ score: points, reasons: ScoreReasons }).meta({ id: 'Score' })

export const ScoringPreview = z
  .strictObject({
    prospects: count.meta({ description: 'Those of the campaign that have a score' }),
    changed: count.meta({ description: 'How many would get another score' }),
    before: Spread,
    after: Spread,
    mostChanged: z
      .array(
        z.strictObject({
          id: businessFields.id,
          name: businessFields.name,
          website: businessFields.website,
          before: ScoreWithReasons,
          after: ScoreWithReasons,
        }),
      )
      .meta({ description: `At most ${mostShown}, the greatest change first` }),
  })
  .meta({ id: 'ScoringPreview' })

type Change = z.input<typeof ScoringPreview>['mostChanged'][number]

/** What the rules would do to the scores of a campaign. Writes nothing. */
export async function previewScores(
  as: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
  campaignId: string,
  rules: readonly ScoringRule[],
): Promise<z.input<typeof ScoringPreview>> {
  const before = new Map<number, number>()
  const after = new Map<number, number>()
  let prospects = 0
  let changed = 0
  let mostChanged: Change[] = []
  for (let last: string | null = null, full = true; full; ) {
    const page: ScoredProspect[] = await as((tx) =>
      scoredProspects(tx, { campaignId, after: last, limit: rowsPerPage }),
    )
    const changes = page.map((prospect) => changeOf(prospect, scoreProspect(prospect, rules)))
    for (const change of changes) {
      add(before, change.before.score)
      add(after, change.after.score)
    }
    prospects += page.length
    const others = changes.filter((change) => size(change) > 0)
    changed += others.length
    mostChanged = [...mostChanged, ...others].sort((a, b) => size(b) - size(a)).slice(0, mostShown)
    last = page.at(-1)?.prospectId ?? null
    full = page.length === rowsPerPage
  }
  return { prospects, changed, before: spreadOf(before), after: spreadOf(after), mostChanged }
}

function add(counts: Map<number, number>, score: number): void {
  counts.set(score, (counts.get(score) ?? 0) + 1)
}

function spreadOf(counts: ReadonlyMap<number, number>): z.input<typeof Spread> {
  const each = [...counts].map(([score, prospects]) => ({ score, prospects }))
  const { average, bands } = scoreSpread(each, bandWidth)
  return { average, bands }
}

function changeOf({ prospectId, name, website, score, reasons }: ScoredProspect, after: Score): Change {
  return { id: prospectId, name, website, before: { score, reasons }, after }
}

function size({ before, after }: Change): number {
  return Math.abs(after.score - before.score)
}
