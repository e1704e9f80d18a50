import type { TrackingName } from '../../workflows/contracts/detections.ts'
import { type Code, isCommentedOut, type Reference } from './references.ts'
import type { Span } from './tags.ts'

export interface FoundTracker {
  name: TrackingName
  quote: Span
  element: Span | null
}

/** Ids of Google's, where they stand as a value: after a quotation mark or an equals sign. */
const googleIds = /["'=](UA-\d{4,10}-\d{1,4}|(?:G|GT|GTM)-[A-Z0-9]{4,14})(?![\w-])/g

/** More than any honest script has. */
const mostIds = 200

const trackerOfPrefix = new Map<string, TrackingName>([
  ['UA', 'ga_ua'],
  ['G', 'ga4'],
  ['GT', 'ga4'],
  ['GTM', 'gtm'],
])

/** What says, just before an id, that it is used: a call of the tracker, its configuration, its loader's address. */
const usesAnalytics =
  /(?:[\w$.]{1,30}\(\s{0,40}["'](?:create|config)["']\s{0,9},\s{0,30}|_setAccount["']\s{0,9},\s{0,9}|_getTracker\(\s{0,9}|_uacct\s{0,9}=\s{0,9}|["']?\b(?:trackingId|account|gtag_id|pixel_id|tagId|measurementId|google_?analytics_?id)\\{0,3}["']?\s{0,9}:\s{0,9}\\{0,3}|\bgtag\/js\?id)$/i

/** The same of Tag Manager, beside its own snippet. */
const usesTagManager = /["']?\b(?:googleTagManager|gtm)_?(?:id|code|containerId)\\{0,3}["']?\s{0,9}[:=]\s{0,9}\\{0,3}$/i

/** Tags whose owner is the platform that the site is on, and ids that are examples. */
const nobodysIds = /^(?:UA-(?:2117194|7870337|0+|12345\d*)-\d+|(?:G|GT|GTM)-(?:X+|0+|1234\w*))$/

/** Meta's pixel: its call, its older call, and the settings of plugins and shops that make the call. */
const pixel =
  /\bfbq\s{0,9}\(\s{0,40}["']init["']\s{0,9},\s{0,40}["']?\d{8,20}|\baddPixelId["']\s{0,9},\s{0,9}["']?\d{8,20}|"pixelIds"\s{0,9}:\s{0,9}\[\s{0,9}"?\d{8,20}|\bpixel_id\\?"\s{0,9}:\s{0,9}\\?"\d{8,20}\\?"\s{0,9},\s{0,9}\\?"pixel_type\\?"\s{0,9}:\s{0,9}\\?"facebook_pixel/g

/** The trackers that a piece of code sets up. */
export function* trackersInCode({ text, quote }: Code): Generator<FoundTracker> {
  const isTagManager = text.includes('gtm.js') || text.includes('gtm.start')
  const isTag = text.includes('gtag/js')
  for (const { 0: match, 1: id = '', index } of text.matchAll(googleIds).take(mostIds)) {
    const name = trackerOfPrefix.get(id.slice(0, id.indexOf('-')))
    if (name === undefined || nobodysIds.test(id)) continue
    const uses = name === 'gtm' ? usesTagManager : usesAnalytics
    const before = uses.exec(text.slice(Math.max(0, index - 80), index))?.[0]
    const isLoaded = name === 'gtm' ? isTagManager : isTag
    if (before === undefined && !isLoaded) continue
    if (!isCommentedOut(text, index)) {
      yield { name, quote: quote(index - (before?.length ?? 0), index + match.length + 1), element: null }
    }
  }
  for (const { 0: match, index } of text.matchAll(pixel).take(mostIds)) {
    if (isCommentedOut(text, index)) continue
    yield { name: 'fb_pixel', quote: quote(index, index + match.length), element: null }
  }
}

/** The tracker that an address on the page reports to. */
export function trackerAt({ host, path, use, quote, element }: Reference): FoundTracker | undefined {
  if (use === 'offer' || use === 'style') return undefined
  // From Google, or from where the site keeps a copy of its own.
  const [, file, id = ''] =
    /\/(gtag[\w./-]{0,20}|gtm[\w.]{0,12}|ns[\w.]{0,12})\?(?:[^#]*&)?id=([A-Z]+-[A-Z0-9-]+)/.exec(path) ?? []
  if (file !== undefined && !nobodysIds.test(id)) {
    const name = trackerOfPrefix.get(id.slice(0, id.indexOf('-')))
    const isMeant = file.startsWith('gtag') ? name !== 'gtm' : name === 'gtm'
    if (name !== undefined && isMeant) return { name, quote, element }
  }
  const isPixel =
    (host === 'facebook.com' && /^\/tr[\w.]{0,9}\/?\?(?:[^#]*&)?(?:id=\d{8,20}|ev=\d{8,20})/.test(path)) ||
    (host === 'connect.facebook.net' && /^\/signals\/config\/\d/.test(path))
  return isPixel ? { name: 'fb_pixel', quote, element } : undefined
}
