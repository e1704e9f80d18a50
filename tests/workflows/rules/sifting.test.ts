import { expect, test } from 'vitest'
import { type ShownBusiness, sift } from '../../../workflows/rules/sifting.ts'
import { exclusionOf } from '../../../workflows/rules/websites.ts'

const shown = (facts: Partial<ShownBusiness>): ShownBusiness => ({
  name: null,
  website: null,
  placeId: null,
  phone: null,
  address: null,
  isAd: false,
  ...facts,
})

const sifted = (...businesses: Partial<ShownBusiness>[]) => sift(businesses.map(shown), exclusionOf(['competitor.com']))

test('what is kept keeps its place on the page, whatever is dropped before it', () => {
  const { kept, dropped } = sifted(
    { website: 'https://www.yelp.com/biz/x' },
    { website: 'https://competitor.com/' },
    { name: 'Nobody' },
    { website: 'https://bakery.com/', placeId: 'place-1' },
  )
  expect(kept).toMatchObject([
    {
      position: 3,
      keys: [
        { kind: 'domain', value: 'bakery.com' },
        { kind: 'place', value: 'place-1' },
      ],
    },
  ])
  expect(dropped).toEqual({ droppedDirectories: 1, droppedExclusions: 1, droppedUnusable: 1 })
})

test('an ad is kept as one, and dropped where it is a directory, an excluded business or a click on its way', () => {
  const { kept, dropped } = sifted(
    { website: 'https://bakery.com/', isAd: true },
    { website: 'https://www.thumbtack.com/k/bakery', isAd: true },
    { website: 'https://www.googleadservices.com/pagead/aclk?sa=L', isAd: true },
    { website: 'https://competitor.com/', isAd: true },
  )
  expect(kept).toMatchObject([{ position: 0, isAd: true }])
  expect(dropped).toEqual({ droppedDirectories: 2, droppedExclusions: 1, droppedUnusable: 0 })
})

test('a place on Maps that links to a directory is kept without a website', () => {
  const { kept } = sifted({ website: 'https://www.facebook.com/annasbakery', placeId: 'place-1' })
  expect(kept).toMatchObject([{ website: null, keys: [{ kind: 'place', value: 'place-1' }] }])
})
