/**
 * What a website can be recognised to be made with, by the names under which it is stored, filtered and exported. What gives each away
 * lies in `activities/analysis/`.
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

/** Google Analytics 4, its predecessor, Google Tag Manager, Meta's pixel. */
export const trackingNames = ['ga4', 'ga_ua', 'gtm', 'fb_pixel'] as const
export type TrackingName = (typeof trackingNames)[number]

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
