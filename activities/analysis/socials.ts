import type { SocialNetwork } from '../../workflows/contracts/detections.ts'
import type { PageContent } from './page-content.ts'
import { parseAddress } from './references.ts'

export type SocialProfile = {
  /** By its host: `facebook.com`. */
  network: SocialNetwork
  url: string
}

interface Network {
  network: SocialNetwork
  /** Whose profile it is, as the first group. */
  profile: RegExp
}

const name = '[\\w.~%-]'

/** What a profile's path looks like; shares, posts and the network's own pages look otherwise, or are named here. */
const networks: Record<string, Network> = {
  'facebook.com': {
    network: 'facebook.com',
    profile: path(
      `(?:profile\\.php\\?(?:.*&)?(id=\\d+)|(?:pages|pg|p|people|groups)/(${name}+)|(${name}{3,}))`,
      'ads business dialog events hashtag help l.php legal login login.php marketplace photo photo.php plugins policies policy privacy reel settings share share.php sharer sharer.php story.php permalink.php terms tr v2.0 watch',
    ),
  },
  'instagram.com': {
    network: 'instagram.com',
    profile: path(
      `(${name}+)/?(?:$|\\?)`,
      'about accounts developer direct explore legal p reel reels share stories tv',
    ),
  },
  'twitter.com': { network: 'twitter.com', profile: twitter() },
  'x.com': { network: 'x.com', profile: twitter() },
  'linkedin.com': {
    network: 'linkedin.com',
    profile: path(`(?:company|in|school|showcase|organization|pub|company-beta)/(${name}+)`, ''),
  },
  'youtube.com': {
    network: 'youtube.com',
    profile: path(
      `(?:(?:channel|user|c)/(${name}+)|(@?${name}{2,})/?(?:$|\\?|featured|videos|about))`,
      'about ads embed feed gaming hashtag iframe_api kids live live_chat playlist premium redirect results shorts signin t v watch',
    ),
  },
  'tiktok.com': { network: 'tiktok.com', profile: path(`(@${name}+)/?(?:$|\\?)`, '') },
  'pinterest.com': {
    network: 'pinterest.com',
    profile: path(`(${name}{2,})`, 'about business categories ideas login pin search today'),
  },
  'threads.net': { network: 'threads.net', profile: path(`(@${name}+)/?(?:$|\\?)`, '') },
  'threads.com': { network: 'threads.com', profile: path(`(@${name}+)/?(?:$|\\?)`, '') },
  'snapchat.com': { network: 'snapchat.com', profile: path(`(?:add/|@)(${name}+)`, '') },
  't.me': { network: 't.me', profile: path(`(\\+?${name}{4,})`, 'addstickers iv joinchat proxy s share socks') },
  'wa.me': { network: 'wa.me', profile: path('(?:message/|c/|\\+)?(\\w{7,20})', '') },
  'whatsapp.com': { network: 'wa.me', profile: /^\/send\/?\?(?:.*&)?phone=(?:\+|%2b)?(\d{7,15})/i },
}

const otherNames: Record<string, string> = { 'fb.com': 'facebook.com', 'pinterest.co.uk': 'pinterest.com' }

/** Accounts of those whose products sites are made of: a template that nobody has filled in. */
const platforms = new Set(
  (
    'acuityscheduling automattic booksy bootstrap calendly colorlib drupal elegantthemes elementor envato example facebook fresha ' +
    'getbootstrap godaddy hubspot instagram joomla linkedin mailchimp mindbody mywebsite page pages profile setmore shopify ' +
    'simplybook.me simplybookme square squarespace templatemo themeforest twitter user username vagaro webflow weebly wix ' +
    'wixcom wordpress wordpressdotcom yourbrand yourbusiness yourcompany yourhandle yourname yourpage yourprofile yourusername youtube'
  ).split(' '),
)

/** More than any business keeps. */
const mostProfiles = 20

/** The business's own profiles that a page links to, in order of appearance: not shares, not posts, not what it only mentions. */
export function findSocials({ elements }: Pick<PageContent, 'elements'>): SocialProfile[] {
  const found = new Map<string, SocialProfile>()
  for (const { tag, attributes } of elements) {
    const href = tag === 'a' || tag === 'area' ? attributes.get('href')?.value : undefined
    const profile = href === undefined ? undefined : socialProfile(href)
    if (!profile || found.has(profile.key)) continue
    found.set(profile.key, { network: profile.network, url: profile.url })
    if (found.size === mostProfiles) break
  }
  return [...found.values()]
}

function socialProfile(href: string): (SocialProfile & { key: string }) | undefined {
  const address = parseAddress(href)
  if (!address || address.host === '') return undefined
  // m.facebook.com, de-de.facebook.com, uk.linkedin.com: one place under many names.
  const host = address.host.replace(/^[a-z-]{1,7}\.(?=[a-z]{2,}\.[a-z]{2,6}$)/, '')
  const { network, profile } = networks[otherNames[host] ?? host] ?? {}
  if (network === undefined || profile === undefined) return undefined
  const account = profile
    .exec(address.path)
    ?.slice(1)
    .find((group) => group !== undefined)
    ?.toLowerCase()
  if (account === undefined || platforms.has(account.replace('@', ''))) return undefined
  const url = URL.parse(href.trim().replace(/^\/\//, 'https://'))
  return url ? { network, url: url.href, key: `${network} ${account}` } : undefined
}

function path(account: string, others: string): RegExp {
  const not = others === '' ? '' : `(?!(?:${others.replaceAll('.', '\\.').replaceAll(' ', '|')})(?:[/?]|$))`
  return new RegExp(`^/{1,2}(?:#!/)?${not}${account}`, 'i')
}

function twitter(): RegExp {
  return path(
    '@?(\\w{1,20})/?(?:$|\\?)',
    'about download hashtag home i intent jobs login privacy search settings share signup tos',
  )
}
