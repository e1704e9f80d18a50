import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { someLife } from '../../support/billing-lives.ts'
import { newPlace, play } from '../../support/billing-plays.ts'
import { began } from '../../support/billing-situations.ts'
import { someWeather } from '../../support/billing-weather.ts'
import { testOrganisation } from '../../support/organisation.ts'

const organisation = await testOrganisation()

test('however many webhooks are lost, repeated and late, a life ends as it does in order', {
  timeout: 600_000,
}, async () => {
  let behind = 0
  await fc.assert(
    fc.asyncProperty(someLife, someWeather, async (life, weather) => {
      const places = await Promise.all([newPlace(organisation, began), newPlace(organisation, began)])
      const [inOrder, inStorm] = await Promise.all([play(life, places[0]), play(life, places[1], weather)])
      expect(inOrder.wasBehind).toBe(false)
      expect(inStorm.end).toEqual(inOrder.end)
      if (inStorm.wasBehind) behind += 1
    }),
    { numRuns: 500 },
  )
  // Else the storms were none.
  expect(behind).toBeGreaterThan(20)
})
