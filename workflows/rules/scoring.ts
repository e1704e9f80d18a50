import type { Among, Condition, ScoringRule, SiteState, Within } from '../contracts/scoring-rules.ts'

/** What a campaign's look at a business brought, as its row has it. Analyses by earlier versions lack what those did not look at. */
export interface VisitFindings {
  url: string | null
  failure: string | null
  /** For the failure `http_status`, the status. */
  failureDetail: string | null
  analysis: {
    https: boolean
    viewport: boolean
    title: string | null
    emails: string[]
    phones: string[]
    cms?: string | null
    tracking?: string[]
    booking?: string[]
    socials?: { network: string }[]
    copyrightYear?: number | null
    language?: string | null
    responseMs?: number
  } | null
  /** Whether a search has told its telephone number. */
  hasPhone: boolean
  runsAds: boolean
  sightings: number
}

/** What is known of a business when it is scored, by the names that conditions have for it; what is left out is not known. */
interface ProspectFacts {
  site: SiteState
  hasEmail: boolean
  hasPhone: boolean
  runsAds: boolean
  sightings: number
  failure?: string | undefined
  httpStatus?: number | undefined
  https?: boolean
  viewport?: boolean
  hasTitle?: boolean
  cms?: string | undefined
  language?: string | undefined
  tracking?: string[] | undefined
  booking?: string[] | undefined
  socials?: string[] | undefined
  copyrightYear?: number | undefined
  responseMs?: number | undefined
}

type ScoreReason = { text: string; points: number }

/** From 0 to 100, and how it comes to that: the reasons' points add up to the score unless they pass one of the two ends. */
export interface Score {
  score: number
  reasons: ScoreReason[]
}

/** How a business scores by these rules: the one way there is, for a site that was just read and for one of last year's. */
export function scoreProspect(visit: VisitFindings, rules: readonly ScoringRule[]): Score {
  const facts = factsOf(visit)
  const reasons = rules
    .filter(({ when }) => when.every((condition) => holds(condition, facts)))
    .map(({ reason, points }) => ({ text: reason, points }))
  const sum = reasons.reduce((total, { points }) => total + points, 0)
  return { score: Math.min(100, Math.max(0, sum)), reasons }
}

function factsOf({
  url,
  failure,
  failureDetail,
  analysis,
  hasPhone,
  runsAds,
  sightings,
}: VisitFindings): ProspectFacts {
  const seen = { hasEmail: false, hasPhone, runsAds, sightings }
  if (url === null) return { ...seen, site: 'none' }
  if (analysis === null) {
    const isStatus = failure === 'http_status' && /^\d{3}$/.test(failureDetail ?? '')
    return {
      ...seen,
      site: 'failed',
      failure: failure ?? undefined,
      httpStatus: isStatus ? Number(failureDetail) : undefined,
    }
  }
  const { https, viewport, title, emails, phones, tracking, booking, socials, copyrightYear, responseMs } = analysis
  return {
    ...seen,
    site: 'read',
    hasEmail: emails.length > 0,
    hasPhone: hasPhone || phones.length > 0,
    https,
    viewport,
    hasTitle: title !== null,
    cms: nameOf(analysis.cms),
    language: nameOf(analysis.language),
    tracking,
    booking,
    socials: socials?.map(({ network }) => network),
    copyrightYear: copyrightYear ?? undefined,
    responseMs,
  }
}

/** That nothing was seen is known, too; that nobody looked is not. */
function nameOf(seen: string | null | undefined): string | undefined {
  return seen === null ? 'none' : seen
}

function holds(condition: Condition, facts: ProspectFacts): boolean {
  if ('is' in condition) return facts[condition.field] === condition.is
  if ('has' in condition) return shows(facts[condition.field], condition.has)
  if (condition.field === 'language') return isAmong(facts.language, condition, speaks)
  if (condition.field === 'httpStatus') return isAmong(facts.httpStatus, condition, Object.is)
  if (condition.field === 'cms' || condition.field === 'failure') {
    return isAmong<string>(facts[condition.field], condition, Object.is)
  }
  return liesWithin(facts[condition.field], condition)
}

function isAmong<Value>(
  known: Value | undefined,
  { in: wanted, notIn: unwanted }: Among<Value>,
  isOne: (known: Value, value: Value) => boolean,
): boolean {
  if (known === undefined) return false
  return (wanted?.some((value) => isOne(known, value)) ?? true) && !unwanted?.some((value) => isOne(known, value))
}

/** Tags of BCP 47: `en` is spoken where `en-US` is. */
function speaks(language: string, wanted: string): boolean {
  return `${language}-`.toLowerCase().startsWith(`${wanted}-`.toLowerCase())
}

function shows(names: string[] | undefined, has: string): boolean {
  if (names === undefined) return false
  if (has === 'none') return names.length === 0
  return has === 'any' ? names.length > 0 : names.includes(has)
}

function liesWithin(value: number | undefined, { atLeast = -Infinity, atMost = Infinity }: Within): boolean {
  return value !== undefined && value >= atLeast && value <= atMost
}
