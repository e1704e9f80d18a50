import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/max'
import type { PageContent } from './page-content.ts'

/** Country domains sold to the whole world: a bakery under .io is not on the Chagos Islands. */
const worldwide = new Set(
  'ac ad ag ai am as bz cc cd cf co cx dj eu fm ga gd gg gl gq gs im io la lc li ly me mg ml ms mu nu pm pn pw re sc sh sn so st su tf tk tl tm to tv vc vg wf ws'.split(
    ' ',
  ),
)

/** The countries whose way of writing telephone numbers a page may follow. */
export interface LikelyCountries {
  /** Where the business was looked for. */
  given: CountryCode | undefined
  /** What the page itself gives away: its own domain, its e-mail domains, its language; the surest first. */
  hinted: CountryCode[]
}

export function likelyCountries(
  given: string | undefined,
  pageHost: string,
  emails: readonly string[],
  { language }: Pick<PageContent, 'language'>,
): LikelyCountries {
  const hints = [countryOfDomain(pageHost), ...emails.map(countryOfDomain), countryOfLanguage(language)]
  return { given: supported(given), hinted: [...new Set(hints.filter((country) => country !== undefined))].slice(0, 3) }
}

function countryOfDomain(domain: string): CountryCode | undefined {
  const tld = domain.slice(domain.lastIndexOf('.') + 1)
  if (tld.length !== 2 || worldwide.has(tld)) return undefined
  return supported(tld === 'uk' ? 'GB' : tld.toUpperCase())
}

// 'de-AT' is Austria and plain 'de' most likely Germany, but plain 'en' says nothing.
function countryOfLanguage(language: string | null): CountryCode | undefined {
  if (language === null || /^\s*(?:en)?\s*$/i.test(language)) return undefined
  try {
    return supported(new Intl.Locale(language.trim().replace('_', '-')).maximize().region)
  } catch {
    return undefined // Not a language tag at all.
  }
}

export function supported(country: string | undefined): CountryCode | undefined {
  return country !== undefined && isSupportedCountry(country) ? country : undefined
}
