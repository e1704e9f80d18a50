import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { expect, test } from 'vitest'
import { areaCodeZones } from '../../../workflows/rules/area-codes.ts'
import { possibleZones } from '../../../workflows/rules/zones.ts'

const nobody = { timeZone: null, phone: null, country: null }
const organisation = { country: 'AT', timeZone: 'UTC' }
const zonesOf = (person: Partial<Parameters<typeof possibleZones>[0]>) =>
  possibleZones({ ...nobody, ...person }, organisation)

test('the zone that is given counts for more than telephone number and country', () => {
  expect(zonesOf({ timeZone: 'Asia/Tokyo', phone: '+12125550123', country: 'DE' })).toEqual(['Asia/Tokyo'])
})

test.each([
  ['New York', '+12125550123', ['America/New_York']],
  ['the west of Florida, which has two', '+18505550123', ['America/New_York', 'America/Chicago']],
  ['a younger code of the same area', '+14485550123', ['America/New_York', 'America/Chicago']],
  ['Toronto', '+14165550123', ['America/Toronto']],
  ['Jamaica', '+18765550123', ['America/Jamaica']],
  ['Austria', '+436641234567', ['Europe/Vienna']],
  ['Guernsey, which shares a calling code', '+441481712345', ['Europe/Guernsey']],
  ['New Zealand', '+64211234567', ['Pacific/Auckland', 'Pacific/Chatham']],
])('a telephone number of %s tells where somebody may be, whatever the country says', (_, phone, zones) => {
  expect(zonesOf({ phone, country: 'JP' })).toEqual(zones)
})

test('a number that belongs to no area may be anywhere in its country', () => {
  const inCanada = zonesOf({ phone: '+18005550123', country: 'CA' })
  expect(inCanada).toContain('America/St_Johns')
  expect(inCanada).not.toContain('Pacific/Honolulu')
  expect(zonesOf({ phone: '+18005550123' })).toEqual(
    expect.arrayContaining(['America/St_Johns', 'Pacific/Honolulu', 'America/Chicago']),
  )
  expect(zonesOf({ phone: '+19995550123' })).toEqual(zonesOf({ phone: '+18005550123' }))
})

test('where the number does not say which of its countries it is of, the country does', () => {
  expect(zonesOf({ phone: '+262639123456', country: 'YT' })).toEqual(['Indian/Mayotte'])
  expect(zonesOf({ phone: '+262639123456' })).toEqual(['Indian/Reunion', 'Indian/Mayotte'])
})

test('without a number the zones are those of the country, else those of the organisation', () => {
  expect(zonesOf({ country: 'JP' })).toEqual(['Asia/Tokyo'])
  expect(zonesOf({ country: 'RU' })).toEqual(expect.arrayContaining(['Europe/Kaliningrad', 'Asia/Kamchatka']))
  expect(zonesOf({})).toEqual(['Europe/Vienna'])
})

test.each([
  ['a zone', { timeZone: 'Mars/Olympus' }],
  ['a mere offset', { timeZone: '+02:00' }],
  ['a satellite telephone', { phone: '+870123456789' }],
  ['a number of no country', { phone: '+9991234567' }],
  ['a country', { country: 'XX' }],
  ['a country without people', { country: 'BV' }],
])('%s that tells nothing is passed over', (_, person) => {
  expect(zonesOf(person)).toEqual(['Europe/Vienna'])
})

test('every area code that libphonenumber knows has its zones', () => {
  const numbers = ['2345678', '7234567', '4512345', '6012345', '9234567', '5551234']
  const isOfArea = (code: number) =>
    numbers.some((number) => {
      const read = parsePhoneNumberFromString(`+1${code}${number}`)
      return read?.isValid() && /^(?:FIXED|MOBILE)/.test(read.getType() ?? '')
    })
  const codes = Array.from({ length: 800 }, (_, index) => 200 + index).filter(isOfArea)
  expect(codes.length).toBeGreaterThan(400)
  expect(codes.filter((code) => !areaCodeZones.has(`${code}`))).toEqual([])
  for (const zone of new Set([...areaCodeZones.values()].flat())) {
    expect(() => new Intl.DateTimeFormat('en', { timeZone: zone }), zone).not.toThrow()
  }
})
