import { z } from 'zod'
import type { Campaign as CampaignRow } from '../../db/campaigns.ts'
import type { SheetExportRow } from '../../db/sheet-exports.ts'
import {
  CampaignBudget,
  CampaignEnrolment,
  CampaignExport,
  SheetPeople,
} from '../../workflows/contracts/prospect-campaign.schema.ts'
import {
  type CampaignCounts as Counts,
  campaignId,
  campaignStages,
} from '../../workflows/contracts/prospect-campaign.ts'

export const CampaignParams = z.strictObject({ id: z.uuid().toLowerCase() })

export const CampaignStatus = z
  .enum(['queued', 'running', 'paused', 'waiting', 'completed', 'cancelled', 'failed'])
  .meta({ id: 'CampaignStatus', description: 'The last three are final.' })

const problemCodes = `What went wrong, or which ceiling is reached. What to do:

- \`campaign_budget\`: set a higher budget. \`monthly_allowance\`: have it raised, or wait for the next month
- \`plan_limit\`: change to a bigger plan, or wait for its next month. \`no_access\`: pay what is open, or subscribe. One that waits for \`budget\`
  then goes on, one that waits for \`repair\` (its prospects are more contacts than the plan has room for) once it is resumed
- \`serpapi:no_key\`, \`serpapi:invalid_key\`, \`serpapi:searches_used_up\`: put the key or its plan right, then resume
- \`google:no_credentials\`, \`google:invalid_credentials\`, \`google:no_access\`: let the service account in, then resume
- \`google:invalid_share_address\`: give other people by \`/campaigns/{id}/share\`, then resume
- \`google:spreadsheet_not_found\`: take it out of the bin, or have a new one made; then resume
- \`google:sheet_rearranged\`: put the key column back to the front, then resume. \`google:storage_full\`: make room, then resume
- \`sequence_not_live\`: publish the sequence that its prospects are enrolled in, or resume it; then resume the campaign
- \`workflow_gone\`: its workflow was ended in Temporal; begin another campaign`

const state = {
  status: CampaignStatus,
  stage: z.enum(campaignStages).nullable(),
  waitingFor: z.enum(['budget', 'approval', 'repair']).nullable().meta({
    description:
      'What a `waiting` campaign waits for. `budget`: more searches, by its own budget, the monthly allowance or the plan, as `problem` says. `approval`: approve of the best prospects in its report. `repair`: mend what `problem` names, then resume.',
  }),
  problem: z.string().nullable().meta({
    description: problemCodes,
  }),
}

/** What a control is answered with. */
export const CampaignState = z.strictObject(state).meta({ id: 'CampaignState' })

export const BudgetedCampaign = CampaignState.extend({ budget: CampaignBudget }).meta({ id: 'BudgetedCampaign' })

const count = z.int().min(0)

export const CampaignCounts = z
  .strictObject({
    sightings: count.meta({ description: 'Results and ads that searches showed, and lines of the own list' }),
    prospects: count.meta({ description: 'Different businesses among them' }),
    droppedDirectories: count,
    droppedExclusions: count,
    droppedUnusable: count.meta({ description: 'Results with neither a website nor a place' }),
    done: count.meta({ description: 'Prospects whose turn is over' }),
    sitesRead: count,
    sitesFailed: count,
    withoutSite: count,
    searchesPaid: count.meta({ description: 'Booked before they were made; an identical one within the hour is free' }),
    searchesFailed: count.meta({ description: 'Given up: paid twice, and no answer came' }),
  } satisfies Record<keyof Counts, z.ZodType>)
  .meta({ id: 'CampaignCounts' })

export const CampaignLinks = z
  .strictObject({
    self: z.string(),
    events: z.string(),
    prospects: z.string(),
    report: z.string(),
    exports: z.array(z.string()),
  })
  .meta({ id: 'CampaignLinks', description: 'Paths on this server' })

export const StartedCampaign = z
  .strictObject({ id: z.uuid(), workflowId: z.string(), status: CampaignStatus, links: CampaignLinks })
  .meta({ id: 'StartedCampaign' })

const time = z.iso.datetime()

export const Campaign = z
  .strictObject({
    id: z.uuid(),
    workflowId: z.string().meta({ description: 'Its workflow in Temporal' }),
    name: z.string(),
    ...state,
    export: CampaignExport,
    budget: CampaignBudget.nullable().meta({ description: 'Without one, the monthly allowance is the only ceiling' }),
    approval: z.enum(['sample']).nullable(),
    enrol: CampaignEnrolment.nullable().meta({ description: 'Which prospects enter a sequence at its end' }),
    actor: z.string().meta({ description: 'Who started it', example: 'key:0198c2b4-5a3e-7c11-9d4f-2b6a1e8f7c30' }),
    savedSearchId: z
      .uuid()
      .nullable()
      .meta({ description: 'The campaign that its schedule runs again; null for one that you began' }),
    dueAt: time.nullable().meta({ description: 'When its schedule meant it to begin' }),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    links: CampaignLinks,
  })
  .meta({ id: 'Campaign' })

/** Whom a campaign's spreadsheet is shared with. */
export const SheetSharing = z.strictObject({ people: SheetPeople }).meta({ id: 'SheetSharing' })

const Sheet = z
  .strictObject({
    url: z.string().nullable(),
    status: z.enum(['filling', 'done', 'lost']),
    problem: z.string().nullable(),
  })
  .meta({
    id: 'CampaignSheetState',
    description: 'The Google spreadsheet, once the campaign has come to it; all runs of a saved search share one',
  })

const Changes = z
  .strictObject({
    new: count.meta({ description: 'Your organisation had never looked at them before' }),
    changed: count,
    same: count,
    gone: count.nullable().meta({
      description:
        'Prospects of the run before that this one did not find again; null where that cannot be told, see `/campaigns/{id}/gone`',
    }),
  })
  .meta({ id: 'CampaignChanges', description: 'Of the prospects whose turn is over' })

export const CampaignWithCounts = Campaign.extend({
  counts: CampaignCounts,
  changes: Changes,
  sheet: Sheet.nullable(),
}).meta({
  id: 'CampaignWithCounts',
})

export function campaignAnswer(row: CampaignRow): z.input<typeof Campaign> {
  const { id, name, status, stage, waitingFor, problem, actor } = row
  return {
    id,
    workflowId: campaignId(id),
    name,
    status,
    stage,
    waitingFor,
    problem,
    export: row.export,
    budget: row.budgetSearches === null ? null : { searches: row.budgetSearches },
    approval: row.approval,
    enrol: row.enrol,
    actor,
    savedSearchId: row.savedSearchId,
    dueAt: row.dueAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
    links: campaignLinks(id, row.export.formats),
  }
}

export function campaignLinks(id: string, formats: readonly ('csv' | 'json')[]): z.input<typeof CampaignLinks> {
  const self = `/api/v1/campaigns/${id}`
  return {
    self,
    events: `${self}/events`,
    prospects: `${self}/prospects`,
    report: `${self}/report`,
    exports: formats.map((format) => `${self}/export.${format}`),
  }
}

export function sheetAnswer(row: SheetExportRow | null): z.input<typeof Sheet> | null {
  return row && { url: row.spreadsheet?.url ?? null, status: row.status, problem: row.problem }
}
