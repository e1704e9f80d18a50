import type { BookingName, CmsName, SiteFailureCode, SocialNetwork, TrackingName } from './detections.ts'

/** What a business scores by: points for what is known of it. */
export type ScoringRule = {
  /** As people read it beside the points. */
  reason: string
  /** From -100 to 100. With none, the rule only says something. */
  points: number
  /** All must hold. */
  when: Condition[]
}

/**
 * What must be known of a business, and how. It never holds of what is not known: whether a site uses WordPress when it could not be
 * read, its copyright year when it shows none.
 */
export type Condition =
  | { field: 'site'; is: SiteState }
  | { field: BooleanField; is: boolean }
  | ({ field: 'cms' } & Among<CmsName | 'none'>)
  | ({ field: 'language' } & Among<string>)
  | ({ field: 'failure' } & Among<SiteFailureCode>)
  | ({ field: 'httpStatus' } & Among<number>)
  | { field: 'booking'; has: BookingName | Some }
  | { field: 'tracking'; has: TrackingName | Some }
  | { field: 'socials'; has: SocialNetwork | Some }
  | ({ field: NumberField } & Within)

export const siteStates = ['none', 'failed', 'read'] as const
export type SiteState = (typeof siteStates)[number]

export const booleanFields = ['https', 'viewport', 'hasTitle', 'hasEmail', 'hasPhone', 'runsAds'] as const
type BooleanField = (typeof booleanFields)[number]

export const numberFields = ['copyrightYear', 'responseMs', 'sightings'] as const
type NumberField = (typeof numberFields)[number]

/** At least one of the two, and what is given must hold. */
export type Among<Value> = {
  in?: Value[] | undefined
  notIn?: Value[] | undefined
}

/** At least one of the two, and what is given must hold. */
export type Within = {
  atLeast?: number | undefined
  atMost?: number | undefined
}

type Some = 'any' | 'none'

/** Statuses that are often meant for robots only: they say nothing about what customers see. */
const meantForRobots = [401, 403, 405, 406, 429, 503]

/** Failures that the business's customers meet as well. */
const unreachable: [SiteFailureCode, reason: string][] = [
  ['dns_not_found', 'website address does not exist'],
  ['connection_failed', 'website does not answer'],
  ['timeout', 'website does not answer in time'],
  ['too_many_redirects', 'website redirects for ever'],
  ['bad_certificate', 'website has a broken certificate'],
]

const unchecked = { reason: 'website could not be checked', points: 0 }

/**
 * What every organisation scores by until it saves rules of its own: how much a business could use help with being found. What is missing
 * counts, and a way to reach the business counts, since only then can anything be done about it.
 */
export const builtInRules: readonly ScoringRule[] = [
  { reason: 'no website', points: 60, when: [{ field: 'site', is: 'none' }] },
  ...unreachable.map(
    ([code, reason]): ScoringRule => ({ reason, points: 50, when: [{ field: 'failure', in: [code] }] }),
  ),
  { reason: 'website answers with an error', points: 50, when: [{ field: 'httpStatus', notIn: meantForRobots }] },
  { ...unchecked, when: [{ field: 'httpStatus', in: meantForRobots }] },
  { ...unchecked, when: [{ field: 'failure', notIn: [...unreachable.map(([code]) => code), 'http_status'] }] },
  { reason: 'no HTTPS', points: 25, when: [{ field: 'https', is: false }] },
  { reason: 'no mobile viewport', points: 20, when: [{ field: 'viewport', is: false }] },
  { reason: 'no page title', points: 10, when: [{ field: 'hasTitle', is: false }] },
  { reason: 'answers slowly', points: 10, when: [{ field: 'responseMs', atLeast: 3_000 }] },
  {
    reason: 'runs ads but has no booking system',
    points: 20,
    when: [
      { field: 'runsAds', is: true },
      { field: 'booking', has: 'none' },
    ],
  },
  { reason: 'e-mail address known', points: 20, when: [{ field: 'hasEmail', is: true }] },
  { reason: 'telephone number known', points: 15, when: [{ field: 'hasPhone', is: true }] },
]
