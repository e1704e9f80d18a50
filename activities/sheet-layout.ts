import type { CampaignProspect } from '../db/prospects.ts'
import type { SheetColumn, SheetRow } from './ports.ts'

interface Column extends SheetColumn {
  value: (prospect: CampaignProspect) => string | number | null
}

/** A cell of Google Sheets takes 50,000 characters; nobody reads a tenth of that. */
const longestText = 5_000

/** New ones go last: a spreadsheet that is being filled keeps the header it was given. */
const columns: Column[] = [
  { title: 'Score', look: 'score', widthPixels: 60, value: ({ score }) => score },
  { title: 'Name', look: 'text', widthPixels: 220, value: ({ name }) => name },
  { title: 'Website', look: 'text', widthPixels: 220, value: ({ website }) => website },
  { title: 'E-mail', look: 'text', widthPixels: 220, value: ({ analysis }) => list(analysis?.emails) },
  {
    title: 'Phone',
    look: 'text',
    widthPixels: 140,
    value: ({ phone, analysis }) =>
      list([...new Set([...(phone === null ? [] : [phone]), ...(analysis?.phones ?? [])])]),
  },
  { title: 'Address', look: 'text', widthPixels: 260, value: ({ address }) => address },
  {
    title: 'Why this score',
    look: 'text',
    widthPixels: 320,
    value: ({ reasons }) => list(reasons?.map(({ text, points }) => `${text} (${points > 0 ? '+' : ''}${points})`)),
  },
  { title: 'Page title', look: 'text', widthPixels: 220, value: ({ analysis }) => analysis?.title ?? null },
  { title: 'HTTPS', look: 'text', widthPixels: 70, value: ({ analysis }) => yesOrNo(analysis?.https) },
  { title: 'Mobile', look: 'text', widthPixels: 70, value: ({ analysis }) => yesOrNo(analysis?.viewport) },
  { title: 'CMS', look: 'text', widthPixels: 100, value: ({ analysis }) => analysis?.cms ?? null },
  { title: 'Booking', look: 'text', widthPixels: 120, value: ({ analysis }) => list(analysis?.booking) },
  { title: 'Tracking', look: 'text', widthPixels: 120, value: ({ analysis }) => list(analysis?.tracking) },
  { title: 'Found', look: 'number', widthPixels: 60, value: ({ sightings }) => sightings },
  {
    title: 'Not read because',
    look: 'text',
    widthPixels: 160,
    value: ({ failure, failureDetail }) => (failureDetail === null ? failure : `${failure} (${failureDetail})`),
  },
  { title: 'Runs ads', look: 'text', widthPixels: 70, value: ({ runsAds }) => yesOrNo(runsAds) },
]

/** The columns of a campaign's spreadsheet after the key. */
export const sheetColumns: readonly SheetColumn[] = columns.map(({ title, look, widthPixels }) => ({
  title,
  look,
  widthPixels,
}))

export function sheetRow(prospect: CampaignProspect): SheetRow {
  return { key: prospect.id, values: columns.map(({ value }) => shortened(value(prospect))) }
}

function list(texts: readonly string[] | undefined): string | null {
  return texts === undefined || texts.length === 0 ? null : texts.join('; ')
}

function yesOrNo(answer: boolean | undefined): string | null {
  if (answer === undefined) return null
  return answer ? 'yes' : 'no'
}

function shortened(value: string | number | null): string | number | null {
  return typeof value === 'string' ? value.slice(0, longestText) : value
}
