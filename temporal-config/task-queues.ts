/** Workflows and short activities. */
export const storiesQueue = 'stories'

/** Reading the outside web, search pages and sites: slow, many at a time, and never in the way of a story's next step. */
export const sitesQueue = 'sites'

/** Messages to people: a batch at a time, paced by their senders, and never behind the reading of websites. */
export const sendsQueue = 'sends'
