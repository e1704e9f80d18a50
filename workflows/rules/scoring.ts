/** What is known of a business when it is scored. */
export interface ProspectFacts {
  site: SiteFacts
  hasEmail: boolean
  hasPhone: boolean
}

export type SiteFacts =
  | { state: 'none' }
  /** `code`, and for `http_status` the status as `detail`, as the reader of the site gave them. */
  | { state: 'failed'; code: string; detail?: string | undefined }
  | { state: 'read'; https: boolean; viewport: boolean; title: string | null }

export type ScoreReason = { text: string; points: number }

/**
 * How much a business could use help with being found, from 0 to 100, and how it comes to that: the reasons' points add up to the
 * score unless they pass a hundred. What is missing counts, and a way to reach the business counts, since only then can
 * anything be done about it.
 */
export function scoreProspect(facts: ProspectFacts): { score: number; reasons: ScoreReason[] } {
  const reasons = [...siteReasons(facts.site), ...contactReasons(facts)]
  const sum = reasons.reduce((total, { points }) => total + points, 0)
  return { score: Math.min(100, Math.max(0, sum)), reasons }
}

function siteReasons(site: SiteFacts): ScoreReason[] {
  if (site.state === 'none') return [{ text: 'no website', points: 60 }]
  if (site.state === 'failed') return [failureReason(site.code, site.detail)]
  return [
    ...(site.https ? [] : [{ text: 'no HTTPS', points: 25 }]),
    ...(site.viewport ? [] : [{ text: 'no mobile viewport', points: 20 }]),
    ...(site.title === null ? [{ text: 'no page title', points: 10 }] : []),
  ]
}

/** Failures that the business's customers meet as well. */
const unreachable = new Map([
  ['dns_not_found', 'website address does not exist'],
  ['connection_failed', 'website does not answer'],
  ['timeout', 'website does not answer in time'],
  ['too_many_redirects', 'website redirects for ever'],
  ['bad_certificate', 'website has a broken certificate'],
])

// Refusals and busy signs are often meant for robots only: they say nothing about what customers see.
const meantForRobots = new Set(['401', '403', '405', '406', '429', '503'])

function failureReason(code: string, detail: string | undefined): ScoreReason {
  const text = unreachable.get(code)
  if (text !== undefined) return { text, points: 50 }
  if (code === 'http_status' && detail !== undefined && !meantForRobots.has(detail)) {
    return { text: `website answers with error ${detail}`, points: 50 }
  }
  return { text: 'website could not be checked', points: 0 }
}

function contactReasons({ hasEmail, hasPhone }: ProspectFacts): ScoreReason[] {
  return [
    ...(hasEmail ? [{ text: 'e-mail address known', points: 20 }] : []),
    ...(hasPhone ? [{ text: 'telephone number known', points: 15 }] : []),
  ]
}
