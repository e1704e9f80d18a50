import { type CountryCode, getCountries, getCountryCallingCode, parsePhoneNumberFromString } from 'libphonenumber-js'
import { areaCodeZones } from './area-codes.ts'
import { isTimeZone } from './clocks.ts'

/**
 * The time zones that a person may be in, at least one: the one that is given; else those of the telephone number's area or country; else
 * those of the person's country; else those of the organisation's country, and its own zone where that has none. What cannot be understood is
 * passed over.
 */
export function possibleZones(
  { timeZone, phone, country }: { timeZone: string | null; phone: string | null; country: string | null },
  organisation: { country: string; timeZone: string },
): readonly string[] {
  if (timeZone !== null && isTimeZone(timeZone)) return [timeZone]
  const ofPhone = phone === null ? [] : zonesOfPhone(phone, country)
  if (ofPhone.length > 0) return ofPhone
  const ofCountry = country === null ? [] : zonesOf([country])
  if (ofCountry.length > 0) return ofCountry
  const ofOrganisation = zonesOf([organisation.country])
  return ofOrganisation.length > 0 ? ofOrganisation : [organisation.timeZone]
}

/** Of a number in E.164. */
function zonesOfPhone(phone: string, country: string | null): readonly string[] {
  const area = phone.startsWith('+1') ? areaCodeZones.get(phone.slice(2, 5)) : undefined
  return area ?? zonesOf(countriesOfPhone(phone, country))
}

const countriesByCallingCode: ReadonlyMap<string, readonly CountryCode[]> = Map.groupBy(getCountries(), (country) =>
  getCountryCallingCode(country),
)

/** Where several countries share a calling code and the number does not say whose it is, the person's own country may. */
function countriesOfPhone(phone: string, country: string | null): readonly string[] {
  const sharing = [2, 3, 4].map((end) => countriesByCallingCode.get(phone.slice(1, end))).find(Boolean) ?? []
  // Reading a number takes longer than all the rest, and most calling codes have one country.
  if (sharing.length < 2) return sharing
  const isWithoutArea = phone.startsWith('+1')
  const told = isWithoutArea ? undefined : parsePhoneNumberFromString(phone)?.country
  const own = told ?? sharing.find((one) => one === country)
  if (own !== undefined) return [own]
  // Toll-free numbers, and codes younger than the table. All countries of +1, Guam to Samoa, would leave no hour of the day.
  return isWithoutArea ? ['US', 'CA'] : sharing
}

const known = new Map<string, readonly string[]>()

/** Of countries by their two letters; none of what is no country, or has nobody who lives there. */
function zonesOf(countries: readonly string[]): readonly string[] {
  const key = countries.join(' ')
  let zones = known.get(key)
  if (zones === undefined) {
    zones = countries.flatMap((country) => new Intl.Locale('und', { region: country }).getTimeZones() ?? [])
    known.set(key, zones)
  }
  return zones
}
