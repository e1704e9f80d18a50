import { z } from 'zod'
import { mostSearches } from './prospect-campaign.ts'

/** The most results one search may bring: ten organic pages. */
const maxResultsPerSearch = 100
/** Of a campaign's own list, however it is given. */
export const maxWebsites = 10_000

const depths = `How far to go; \`standard\` unless \`limit\` is given. Each page costs one search.

- \`quick\`: one page, which is 10 results, 20 on Maps
- \`standard\`: at most three pages, 30 results, 60 on Maps
- \`deep\`: until the results end, at most ${maxResultsPerSearch}: ten pages, five on Maps`

const Search = z
  .strictObject({
    engine: z
      .enum(['google', 'google_maps'])
      .default('google')
      .meta({ description: 'SerpAPI organic results, or Maps' }),
    query: z.string().trim().min(1).max(200).meta({ example: 'dentist' }),
    location: z.string().trim().min(1).max(200).meta({ example: 'Austin, Texas' }),
    depth: z.enum(['quick', 'standard', 'deep']).optional().meta({ description: depths }),
    limit: z.int().min(1).max(maxResultsPerSearch).optional().meta({
      description:
        'How many results to take, in place of a depth. Costs as many pages as that takes: at most ten, five on Maps',
    }),
  })
  .meta({ id: 'CampaignSearch' })

const Website = z
  .union([
    z.string().max(2048),
    z.strictObject({ website: z.string().max(2048), name: z.string().trim().min(1).max(200).optional() }),
  ])
  .meta({ id: 'CampaignWebsite', description: 'An address such as bakery.com, alone or with the name of the business' })

const SheetReader = z
  .strictObject({ emailAddress: z.email(), role: z.enum(['reader', 'commenter', 'writer']).default('reader') })
  .meta({ id: 'SheetReader' })

export const SheetPeople = z.array(SheetReader).max(50)

const Sheet = z
  .strictObject({ people: SheetPeople.default([]) })
  .meta({ id: 'CampaignSheet', description: 'A Google spreadsheet with a row per prospect, shared with these people' })

export const CampaignExport = z
  .strictObject({
    formats: z
      .array(z.enum(['csv', 'json']))
      .min(1)
      .default(['csv', 'json']),
    minScore: z.int().min(0).max(100).default(0).meta({ description: 'Leave prospects below this score out' }),
    sheet: Sheet.optional(),
  })
  .meta({ id: 'CampaignExport' })

export const CampaignEnrolment = z
  .strictObject({
    sequenceId: z.uuid().toLowerCase(),
    minScore: z.int().min(0).max(100).default(0).meta({ description: 'Leave prospects below this score out' }),
  })
  .meta({ id: 'CampaignEnrolment' })

export const CampaignBudget = z
  .strictObject({
    searches: z
      .int()
      .min(0)
      .max(mostSearches)
      .meta({ description: 'The searches that the campaign may pay for in all', example: 25 }),
  })
  .meta({ id: 'CampaignBudget' })

/** What a user asks for. Websites are checked one by one by the route, so that every wrong one is named. */
export const NewCampaign = z
  .strictObject({
    name: z.string().trim().min(1).max(200).meta({ example: 'Dentists in Austin' }),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'Give an ISO 3166-1 country code such as "US"')
      .optional()
      .meta({ description: "Whose results are wanted and whose phone numbers are meant; default the organisation's" }),
    searches: z.array(Search).max(20).default([]),
    websites: z.array(Website).max(maxWebsites).default([]).meta({ description: 'Your own list' }),
    websitesCsv: z
      .string()
      .max(2_000_000)
      .optional()
      .meta({ description: 'Your own list as CSV with a header line: a column "website" and, if you like, "name"' }),
    exclusions: z
      .array(z.string().trim().min(1).max(253))
      .max(10_000)
      .default([])
      .meta({ description: 'Domains to leave out, with all below them', example: ['competitor.com'] }),
    export: CampaignExport.default({ formats: ['csv', 'json'], minScore: 0 }),
    budget: CampaignBudget.optional().meta({
      description:
        'At this ceiling the campaign waits until more is approved. Without one, the monthly allowance is the only ceiling.',
    }),
    approval: z.enum(['sample']).optional().meta({
      description:
        '`sample`: wait, before anything goes to a spreadsheet or anybody is enrolled, until somebody has approved of the ten best prospects',
    }),
    enrol: CampaignEnrolment.optional().meta({
      description:
        'At the end, enrol prospects that show an e-mail address in this sequence. A draft has to be published by then, or the campaign waits for it. Their contacts have the properties `name`, `website` and `score`. Needs the permission `messages:send`, too.',
    }),
  })
  .meta({ id: 'NewCampaign' })
export type NewCampaign = z.infer<typeof NewCampaign>

export type ListedWebsite = {
  /** With a scheme only where the user gave one: else the reader finds out which the site answers. */
  website: string
  name: string | null
}

/** A search as it is stored: how far it goes is settled. */
type DefinedSearch = Omit<z.infer<typeof Search>, 'depth' | 'limit'> & {
  /** Of results, ads not counted. */
  limit: number
  /** How many may be bought; those that were stored earlier do not say. */
  pages?: number
}

/** A campaign's definition as it is stored: what was asked for, read and completed. */
export type CampaignDefinition = {
  country: string
  searches: DefinedSearch[]
  websites: ListedWebsite[]
  exclusions: string[]
  export: z.infer<typeof CampaignExport>
  enrol?: z.infer<typeof CampaignEnrolment> | undefined
}
