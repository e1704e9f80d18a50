import { contactPages } from '../activities/analysis/further-pages.ts'
import { analyseSite, type SiteAnalysis } from '../activities/analysis/site.ts'
import { SiteFailure, type SiteReader } from '../activities/ports.ts'

type SiteReport = Omit<SiteAnalysis, 'socials' | 'responseMs'> & {
  website: string
  /** Host names; the profiles themselves are `profiles`. */
  socials: string[]
  profiles: SiteAnalysis['socials']
  responseMs: number | null
  failure: string | null
  failureDetail: string | null
}

/** What one site shows, as a campaign would see it. A site that cannot be read is a report that says why. */
export async function reportOnSite(sites: SiteReader, website: string, country?: string): Promise<SiteReport> {
  try {
    const analysis = analyseSite(await sites.read(website, new AbortController().signal, contactPages), country)
    const { socials: profiles } = analysis
    const socials = [...new Set(profiles.map(({ network }) => network))]
    return { website, ...analysis, socials, profiles, failure: null, failureDetail: null }
  } catch (error) {
    const { code, detail } = error instanceof SiteFailure ? error : { code: 'not_understood', detail: String(error) }
    return { website, ...nothing, failure: code, failureDetail: detail ?? null }
  }
}

const nothing = {
  title: null,
  https: false,
  viewport: false,
  emails: [],
  phones: [],
  cms: null,
  tracking: [],
  booking: [],
  socials: [],
  profiles: [],
  copyrightYear: null,
  language: null,
  evidence: [],
  responseMs: null,
  pages: [],
}
