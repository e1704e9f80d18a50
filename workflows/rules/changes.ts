/** What one look at a business's website brought. */
export interface Look {
  failure: string | null
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

/** `site`: there is one now, or none any more, or it can be read now, or no longer. */
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
 * What has changed about a business since the last look at it; null before the first one. Why a site could not be read is no change of the
 * business's, nor is what moves by itself: the response time, a copyright year, the order of a list.
 */
export function compareVisits(before: Look | null, after: Look): Comparison {
  if (before === null) return { change: 'new', changed: [] }
  const changed = changedFacts(before, after)
  return { change: changed.length > 0 ? 'changed' : 'same', changed }
}

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
