import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tickMs } from '../support/billing-life-in-temporal.ts'
import { someLife } from '../support/billing-lives.ts'
import { playInTemporal } from '../support/billing-lives-in-temporal.ts'
import { newPlace, play } from '../support/billing-plays.ts'
import { hourMs } from '../support/billing-situations.ts'
import { someWeather } from '../support/billing-weather.ts'
import { testOrganisation } from '../support/organisation.ts'
import { timeSkipping } from '../support/temporal.ts'

const organisation = await testOrganisation()
const skipping = await timeSkipping()

/** At moments that all lives share. */
const life = someLife.map((steps) => steps.map((step) => ({ ...step, hour: tickMs / hourMs })))

describe.skipIf(!skipping)('on the time-skipping server (skipped where none can be had)', () => {
  test('twenty lives in storms of webhooks end as they do in order, without Temporal', {
    timeout: 300_000,
  }, async () => {
    if (!skipping) return
    const lives = fc.sample(fc.record({ life, weather: someWeather }), 20)
    const began = Math.ceil((await skipping.currentTimeMs()) / tickMs + 1) * tickMs
    const ends = await playInTemporal(lives, { skipping, began, organisation })
    for (const [index, one] of lives.entries()) {
      const { end } = await play(one.life, await newPlace(organisation, began))
      expect(ends[index], JSON.stringify(one)).toEqual(end)
    }
  })
})
