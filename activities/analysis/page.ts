import { likelyCountries } from './countries.ts'
import { findEmails } from './emails.ts'
import { contentOf } from './page-content.ts'
import { copyrightYear, languageOf } from './page-facts.ts'
import { findPhones } from './phones.ts'
import { findSocials, type SocialProfile } from './socials.ts'
import { type Evidence, findTechnologies } from './technologies.ts'

/** What a business's page shows about it. Lists are in order of appearance. */
export type PageAnalysis = {
  title: string | null
  https: boolean
  /** Whether the page says how to show itself on a phone's screen. */
  viewport: boolean
  /** Lower-case. */
  emails: string[]
  /** E.164. */
  phones: string[]
  cms: string | null
  tracking: string[]
  booking: string[]
  socials: SocialProfile[]
  copyrightYear: number | null
  /** BCP 47. */
  language: string | null
  /** What proves `cms`, `tracking` and `booking`. */
  evidence: Evidence[]
}

const longestTitle = 300

/** Understands a page from its markup alone. `country` (ISO 3166-1 alpha-2) is where its business was looked for, if that is known. */
export function analysePage(page: { url: string; html: string }, country?: string): PageAnalysis {
  const { protocol, hostname } = new URL(page.url)
  const content = contentOf(page)
  const emails = findEmails(content, hostname)
  return {
    title: content.title?.slice(0, longestTitle) ?? null,
    https: protocol === 'https:',
    viewport: /width\s*=\s*device-width|initial-scale/i.test(content.metas.get('viewport') ?? ''),
    emails,
    phones: findPhones(content, likelyCountries(country, hostname, emails, content)),
    ...findTechnologies(content, hostname),
    socials: findSocials(content),
    copyrightYear: copyrightYear(content),
    language: languageOf(content),
  }
}
