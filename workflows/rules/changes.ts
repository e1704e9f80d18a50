import type { SiteFailureCode } from '../contracts/detections.ts'

/** What one look at a business's website brought. */
export interface Look {
  failure: string | null
  /** For the failure `http_status`, the status. */
  failureDetail: string | null
  /** Null where there was no website, or it could not be read. */
  analysis: ComparedFacts | null
}

/** What is compared. Looks by earlier versions lack what those did not look at, which is then not compared. */
export interface ComparedFacts {
  title: string | null
  https: boolean
  viewport: boolean
  emails: readonly string[]
  phones: readonly string[]
  cms?: string | null
  tracking?: readonly string[]
  booking?: readonly string[]
  socials?: readonly { url: string }[]
}

/** `site`: there is one now, or none any more, or it can be read now, or no longer for good. */
type ChangedFact = 'site' | keyof ComparedFacts

export interface Comparison {
  change: 'new' | 'changed' | 'same'
  changed: ChangedFact[]
}

const comparedFacts = [
  'title',
  'https',
  'viewport',
  'emails',
  'phones',
  'cms',
  'tracking',
  'booking',
  'socials',
] as const

/**
 * The failures that stay until the business does something, by their codes and, after a colon, details. The others may be over at the next
 * look, or be our own network's.
 */
export const lastingFailures: readonly (SiteFailureCode | `${SiteFailureCode}: ${string}`)[] = [
  'invalid_url',
  'dns_not_found',
  'address_not_allowed',
  'port_not_allowed',
  'bad_certificate',
  'too_many_redirects',
  'too_large',
  'not_html',
  'http_status: 404',
  'http_status: 410',
]

/**
 * What has changed about a business since the last look at it that told anything, or else any; null where nobody has looked. A look that
 * failed and may yet succeed tells nothing: it is compared with nothing. Why a site cannot be read is no change of the business's, nor is
 * what moves by itself: the response time, a copyright year, the order of a list.
 */
export function compareVisits(before: Look | null, after: Look): Comparison {
  if (before === null) return { change: 'new', changed: [] }
  const changed = tellsNothing(before) || tellsNothing(after) ? [] : changedFacts(before, after)
  return { change: changed.length > 0 ? 'changed' : 'same', changed }
}

function tellsNothing({ failure, failureDetail }: Look): boolean {
  return failure !== null && ![failure, `${failure}: ${failureDetail}`].some((text) => lasting.has(text))
}

const lasting = new Set<string>(lastingFailures)

function changedFacts(before: Look, after: Look): ChangedFact[] {
  if (stateOf(before) !== stateOf(after)) return ['site']
  const [earlier, later] = [before.analysis, after.analysis]
  if (earlier === null || later === null) return []
  return comparedFacts.filter((fact) => {
    if (earlier[fact] === undefined || later[fact] === undefined) return false
    return comparable(earlier[fact]) !== comparable(later[fact])
  })
}

function stateOf({ failure, analysis }: Look): 'failed' | 'read' | 'none' {
  if (failure !== null) return 'failed'
  return analysis === null ? 'none' : 'read'
}

function comparable(fact: ComparedFacts[keyof ComparedFacts]): string {
  if (!Array.isArray(fact)) return JSON.stringify(fact)
  return JSON.stringify(
    fact.map((item: string | { url: string }) => (typeof item === 'string' ? item : item.url)).sort(),
  )
}
