import { type BusinessKey, businessKeys, isDirectory, parseWebsite } from './websites.ts'

/** A business as a search or the user's own list shows it. */
export interface ShownBusiness {
  name: string | null
  website: string | null
  placeId: string | null
  phone: string | null
  address: string | null
  isAd: boolean
}

export interface SiftedBusiness extends Omit<ShownBusiness, 'placeId'> {
  /** Its place on the page, from 0. */
  position: number
  /** What makes it the same business as another, the stronger first; at least one. */
  keys: BusinessKey[]
}

export interface Dropped {
  droppedDirectories: number
  droppedExclusions: number
  /** Neither a website nor a place: nothing to tell it by. */
  droppedUnusable: number
}

/** Separates the businesses of a page from what is none, not wanted, or cannot be told apart from others. */
export function sift(
  businesses: readonly ShownBusiness[],
  isExcluded: (website: string) => boolean,
): { kept: SiftedBusiness[]; dropped: Dropped } {
  const dropped = { droppedDirectories: 0, droppedExclusions: 0, droppedUnusable: 0 }
  const kept: SiftedBusiness[] = []
  for (const [position, { placeId, ...business }] of businesses.entries()) {
    const { website, isListing } = ownSite(business.website)
    const keys = businessKeys({ website, placeId })
    if (keys.length === 0) dropped[isListing ? 'droppedDirectories' : 'droppedUnusable'] += 1
    else if (website !== null && isExcluded(website)) dropped.droppedExclusions += 1
    else kept.push({ ...business, position, keys, website })
  }
  return { kept, dropped }
}

/** The business's own website: a page on a directory is a listing and none of its own, and what cannot be read as an address is none. */
function ownSite(shown: string | null): { website: string | null; isListing: boolean } {
  const parsed = shown === null ? null : parseWebsite(shown)
  if (parsed === null || 'problem' in parsed) return { website: null, isListing: false }
  return isDirectory(parsed.host) ? { website: null, isListing: true } : { website: parsed.website, isListing: false }
}
