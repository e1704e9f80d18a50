import { expect, test } from 'vitest'
import { searchExtent } from '../../../workflows/rules/search-depth.ts'

test.each([
  ['google', 'quick', { limit: 10, pages: 1 }],
  ['google', 'standard', { limit: 30, pages: 3 }],
  ['google', 'deep', { limit: 100, pages: 10 }],
  ['google_maps', 'quick', { limit: 20, pages: 1 }],
  ['google_maps', 'standard', { limit: 60, pages: 3 }],
  ['google_maps', 'deep', { limit: 100, pages: 5 }],
] as const)('a search on %s that is %s ends at %o', (engine, depth, extent) => {
  expect(searchExtent({ engine, depth })).toEqual(extent)
})

test('without a depth a search is a standard one, and an exact limit stands in its place', () => {
  expect(searchExtent({ engine: 'google' })).toEqual(searchExtent({ engine: 'google', depth: 'standard' }))
  expect(searchExtent({ engine: 'google_maps', limit: 7 })).toEqual({ limit: 7, pages: 5 })
})
