import type { PageContent } from './page-content.ts'

const notice = /©|\(c\)|\bcopyright\b|\bcopr\b/gi
const year = /(?<!\d)(?:19[89]|20\d)\d(?!\d)/g

/** More than any honest page has. */
const mostNotices = 100

/** The latest year a page claims its copyright for, such as 2024 in `© 2019-2024 Anna's Bakery`. */
export function copyrightYear({ passages }: PageContent): number | null {
  let latest: number | null = null
  let notices = 0
  for (const { text } of passages) {
    for (const { index } of text.matchAll(notice)) {
      notices += 1
      if (notices > mostNotices) return latest
      for (const [written] of text.slice(Math.max(0, index - 6), index + 60).matchAll(year)) {
        latest = Math.max(latest ?? 0, Number(written))
      }
    }
  }
  return latest
}

/** The language a page says it is in, as a tag of BCP 47: `de-AT`. */
export function languageOf({ language, metas }: PageContent): string | null {
  return languageTag(language) ?? languageTag(metas.get('og:locale') ?? null)
}

function languageTag(written: string | null): string | null {
  try {
    return Intl.getCanonicalLocales(written?.trim().replaceAll('_', '-') || undefined)[0] ?? null
  } catch {
    return null // Not a language tag at all.
  }
}
