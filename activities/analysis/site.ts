import { analysePage, type PageAnalysis } from './page.ts'
import type { SocialProfile } from './socials.ts'
import type { Evidence } from './technologies.ts'

export interface ReadPage {
  url: string
  html: string
  responseMs: number
}

/** What a business's website shows about it: its home page, and what the pages beside it add. */
export type SiteAnalysis = PageAnalysis & {
  /** How long the home page took to begin its answer. */
  responseMs: number
  /** The pages that were read. */
  pages: string[]
}

/** Understands a site from its home page and the others that were read. `country` is where its business was looked for. */
export function analyseSite([home, ...others]: readonly [ReadPage, ...ReadPage[]], country?: string): SiteAnalysis {
  const first = analysePage(home, country)
  const all = [first, ...others.map((page) => analysePage(page, country))]
  const years = all.map(({ copyrightYear }) => copyrightYear).filter((year) => year !== null)
  const cms = all.find((page) => page.cms !== null)?.cms ?? null
  const tracking = union(all.map((page) => page.tracking))
  const booking = union(all.map((page) => page.booking))
  return {
    ...first,
    emails: union(all.map(({ emails }) => emails)),
    phones: union(all.map(({ phones }) => phones)),
    socials: distinct(all.flatMap(({ socials }) => socials)),
    cms,
    tracking,
    booking,
    copyrightYear: years.length === 0 ? null : Math.max(...years),
    language: all.find(({ language }) => language !== null)?.language ?? null,
    evidence: proofs(
      all.flatMap(({ evidence }) => evidence),
      [cms, ...tracking, ...booking],
    ),
    responseMs: home.responseMs,
    pages: [home, ...others].map(({ url }) => url),
  }
}

/** In order of first appearance. */
function union(lists: readonly string[][]): string[] {
  return [...new Set(lists.flat())]
}

/** One account is often linked in two spellings. */
function distinct(profiles: readonly SocialProfile[]): SocialProfile[] {
  const spelling = ({ url }: SocialProfile) => url.toLowerCase().replace(/^https?:\/\/(?:www\.)?|[/?#]+$/g, '')
  return [...Map.groupBy(profiles, spelling).values()].flatMap(([profile]) => profile ?? [])
}

/** The first proof of each finding that counts. */
function proofs(evidence: readonly Evidence[], names: readonly (string | null)[]): Evidence[] {
  return names.map((name) => evidence.find((proof) => proof.name === name)).filter((proof) => proof !== undefined)
}
