import { asyncProperty, constantFrom, assert as holds, integer, option, record } from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testApi } from '../support/api.ts'
import { campaignWith, type Seed } from '../support/campaign-prospects.ts'

const { ask, database, organisationId } = await testApi()

const Listed = z.object({ data: z.array(z.looseObject({ website: z.string() })), nextCursor: z.string().nullable() })
const Refused = z.object({ errors: z.array(z.object({ pointer: z.string(), detail: z.string() })) })

/** What each is called says what it is. */
const seeds: Seed[] = [
  { website: 'wordpress-calendly.com', score: 80, analysis: { cms: 'wordpress', booking: ['calendly'], tracking: [] } },
  { website: 'plain.com', score: 100, analysis: { cms: null, booking: [], tracking: ['ga4', 'gtm'], emails: [] } },
  {
    website: 'two-bookings.com',
    score: 20,
    analysis: { cms: 'wix', booking: ['square', 'fresha'], tracking: ['ga4'] },
  },
  { website: 'never-looked-at.com', score: 50, isAd: true, change: 'changed' },
  { website: 'broken.com', score: 50, failure: 'timeout', change: 'new' },
  { website: 'unread.com', score: null, isAd: true },
]
const id = await campaignWith(database, organisationId, seeds)

/** The websites of all pages of a list. */
async function listed(campaign: string, query: string, limit = 100): Promise<string[]> {
  const websites: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path = `/campaigns/${campaign}/prospects?limit=${limit}&${query}${cursor && `&cursor=${cursor}`}`
    const page: z.infer<typeof Listed> = Listed.parse(await (await ask('GET', path)).json())
    expect(page.data.length).toBeLessThanOrEqual(limit)
    websites.push(...page.data.map(({ website }) => website))
    cursor = page.nextCursor
  }
  return websites
}

test.each([
  ['minScore=50', ['wordpress-calendly.com', 'plain.com', 'never-looked-at.com', 'broken.com']],
  ['minScore=100', ['plain.com']],
  ['minScore=0', seeds.map(({ website }) => website)],
  ['cms=wordpress', ['wordpress-calendly.com']],
  ['cms=none', ['plain.com']],
  ['booking=fresha', ['two-bookings.com']],
  ['booking=none', ['plain.com']],
  ['booking=any', ['wordpress-calendly.com', 'two-bookings.com']],
  ['tracking=gtm', ['plain.com']],
  ['tracking=none', ['wordpress-calendly.com']],
  ['runsAds=true', ['never-looked-at.com', 'unread.com']],
  ['runsAds=false', ['wordpress-calendly.com', 'plain.com', 'two-bookings.com', 'broken.com']],
  ['hasEmail=true', ['wordpress-calendly.com', 'two-bookings.com', 'never-looked-at.com']],
  ['hasEmail=false', ['plain.com', 'broken.com', 'unread.com']],
  ['change=changed', ['never-looked-at.com']],
  ['new=true', ['broken.com']],
  ['tracking=ga4&booking=any', ['two-bookings.com']],
  ['cms=drupal', []],
])('%s lists those and no others', async (query, websites) => {
  expect(await listed(id, query)).toEqual(websites)
})

test.each([
  ['cms=blogger', 'cms', /wordpress, wix, .*, none/],
  ['cms=any', 'cms', /Give one of/],
  ['booking=', 'booking', /calendly, .*, any, none/],
  ['tracking=GA4', 'tracking', /ga4, ga_ua, gtm, fb_pixel, any, none/],
  ['runsAds=yes', 'runsAds', /true or false/],
  ['hasEmail=true&hasEmail=false', 'hasEmail', /true or false/],
  ['minScore=101', 'minScore', /from 0 to 100/],
  ['minScore=', 'minScore', /from 0 to 100/],
  ['change=gone', 'change', /new, changed, same/],
  ['new=false', 'new', /leave it out/],
  ['new=true&change=same', 'new', /not both/],
  ['colour=blue', 'colour', /no such field/],
])('%s is answered 400 with what would do', async (query, field, detail) => {
  for (const path of ['prospects', 'export.csv', 'export.json']) {
    const response = await ask('GET', `/campaigns/${id}/${path}?${query}`)
    expect(response.status).toBe(400)
    const { errors } = Refused.parse(await response.json())
    expect(errors).toEqual([{ pointer: `/query/${field}`, detail: expect.stringMatching(detail) }])
  }
})

test('pages under filters list each prospect that fits once, however small they are', async () => {
  const scores = Array.from({ length: 60 }, (_, n) => ({
    website: `many-${n}.com`,
    score: (n * 37) % 101,
    isAd: n % 3 === 0,
    analysis: { booking: n % 4 === 0 ? [] : ['square'] },
  }))
  const many = await campaignWith(database, organisationId, scores)
  const wanted = record({
    minScore: integer({ min: 0, max: 100 }),
    runsAds: option(constantFrom(true, false), { nil: undefined }),
    booking: option(constantFrom('none', 'any'), { nil: undefined }),
    limit: integer({ min: 1, max: 25 }),
  })
  await holds(
    asyncProperty(wanted, async ({ limit, ...filter }) => {
      const query = Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
      const fitting = scores.filter(
        ({ score, isAd, analysis }) =>
          score >= filter.minScore &&
          isAd === (filter.runsAds ?? isAd) &&
          (filter.booking === undefined || (filter.booking === 'none') === (analysis.booking.length === 0)),
      )
      expect(await listed(many, query.join('&'), limit)).toEqual(fitting.map(({ website }) => website))
    }),
    { numRuns: 30 },
  )
})
