import { isSupportedCountry } from 'libphonenumber-js'
import {
  type CampaignDefinition,
  type ListedWebsite,
  maxWebsites,
  type NewCampaign,
} from '../../workflows/contracts/prospect-campaign.schema.ts'
import { searchExtent } from '../../workflows/rules/search-depth.ts'
import { parseWebsite } from '../../workflows/rules/websites.ts'
import { type InputError, invalidInput } from '../problem.ts'
import { readWebsitesCsv } from './websites-csv.ts'

/** Reads what a user asks for; throws naming everything that is wrong with it. */
export function defineCampaign(asked: NewCampaign): Omit<CampaignDefinition, 'country'> {
  const errors: InputError[] = []
  const csv = asked.websitesCsv === undefined ? [] : readWebsitesCsv(asked.websitesCsv)
  if (asked.websites.length + csv.length > maxWebsites) {
    throw invalidInput([{ pointer: '/websitesCsv', detail: `Give at most ${maxWebsites} websites in all.` }])
  }
  const websites = [
    ...asked.websites.map((entry, index) => {
      const { website, name = null } = typeof entry === 'string' ? { website: entry } : entry
      const pointer = typeof entry === 'string' ? `/websites/${index}` : `/websites/${index}/website`
      return listed(website, name, (detail) => errors.push({ pointer, detail }))
    }),
    ...csv.map(({ line, website, name }) =>
      listed(website, name, (detail) => errors.push({ pointer: '/websitesCsv', detail: `line ${line}: ${detail}` })),
    ),
  ]
  const exclusions = asked.exclusions.map((text, index) => {
    const parsed = parseWebsite(text.replace(/^\*\./, ''))
    if (!('problem' in parsed)) return new URL(parsed.url).hostname
    errors.push({ pointer: `/exclusions/${index}`, detail: 'Give a domain to leave out, such as competitor.com.' })
    return text
  })
  const known = new Map<string, number>()
  const searches = asked.searches.map(({ depth, limit, ...search }, index) => {
    const identity = JSON.stringify([search.engine, search.query, search.location])
    const first = known.get(identity)
    if (first === undefined) known.set(identity, index)
    else errors.push({ pointer: `/searches/${index}`, detail: `This is the search of /searches/${first} again.` })
    if (depth !== undefined && limit !== undefined) {
      errors.push({ pointer: `/searches/${index}/depth`, detail: 'Give either a depth or a limit, not both.' })
    }
    return { ...search, ...searchExtent({ engine: search.engine, depth, limit }) }
  })
  if (asked.country !== undefined && !isSupportedCountry(asked.country)) {
    errors.push({ pointer: '/country', detail: 'No country has this code: give one such as US.' })
  }
  if (errors.length > 0) throw invalidInput(errors)
  if (asked.searches.length === 0 && websites.length === 0) {
    throw invalidInput([{ pointer: '', detail: 'Nothing to search: give searches, websites or websitesCsv.' }])
  }
  return { searches, websites, exclusions, export: asked.export, ...(asked.enrol && { enrol: asked.enrol }) }
}

function listed(text: string, name: string | null, refuse: (problem: string) => void): ListedWebsite {
  const parsed = parseWebsite(text)
  if ('problem' in parsed) refuse(parsed.problem)
  return { website: 'problem' in parsed ? text : parsed.website, name }
}

/** One line for operators. Queries and names stay out of it: they may name people. */
export function summaryOf({ searches, websites }: Pick<CampaignDefinition, 'searches' | 'websites'>): string {
  const parts = [
    ...(searches.length > 0 ? [counted(searches.length, 'search', 'searches')] : []),
    ...(websites.length > 0 ? [`${counted(websites.length, 'website', 'websites')} of the own list`] : []),
  ]
  return `Prospect campaign: ${parts.join(', ')}`
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
