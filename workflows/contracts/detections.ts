/**
 * What a site can be found to be made of, by the names that are stored, filtered by and scored by. How each is recognised stands in
 * activities/analysis/.
 */
export const cmsNames = [
  'wordpress',
  'wix',
  'squarespace',
  'shopify',
  'webflow',
  'weebly',
  'godaddy',
  'joomla',
  'drupal',
] as const
export type CmsName = (typeof cmsNames)[number]

export const bookingNames = [
  'calendly',
  'acuity',
  'youcanbookme',
  'setmore',
  'square',
  'fresha',
  'hubspot_meetings',
  'vagaro',
  'mindbody',
  'simplybook',
  'booksy',
] as const
export type BookingName = (typeof bookingNames)[number]

export const trackingNames = ['ga4', 'ga_ua', 'gtm', 'fb_pixel'] as const
export type TrackingName = (typeof trackingNames)[number]

export const socialNetworks = [
  'facebook.com',
  'instagram.com',
  'twitter.com',
  'x.com',
  'linkedin.com',
  'youtube.com',
  'tiktok.com',
  'pinterest.com',
  'threads.net',
  'threads.com',
  'snapchat.com',
  't.me',
  'wa.me',
] as const
export type SocialNetwork = (typeof socialNetworks)[number]

/** Why a website could not be read. `not_understood`: what it sent could not be made sense of. */
export const siteFailureCodes = [
  'invalid_url',
  'dns_not_found',
  'dns_failed',
  'network_unreachable',
  'address_not_allowed',
  'port_not_allowed',
  'connection_failed',
  'bad_certificate',
  'timeout',
  'too_many_redirects',
  'too_large',
  'not_html',
  'http_status',
  'robots_disallowed',
  'not_understood',
] as const
export type SiteFailureCode = (typeof siteFailureCodes)[number]
