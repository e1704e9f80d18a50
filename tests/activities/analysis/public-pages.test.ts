import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { analysePage, type PageAnalysis } from '../../../activities/analysis/page.ts'

const folder = fileURLToPath(new URL('../../../../shared/fixtures/pages/', import.meta.url))
const present = existsSync(`${folder}labels.json`)
const texts = z.array(z.string())
const Label = z.object({
  file: z.string(),
  cms: z.string().nullable(),
  tracking: texts,
  booking: texts,
  emails: texts,
  phones: texts,
  socials: texts,
})
type Label = z.infer<typeof Label>

/** Where a search would have found them; the others are in the United States. */
const elsewhere: Record<string, CountryCode> = {
  '01': 'GB',
  '06': 'DE',
  '08': 'KE',
  '14': 'AU',
  '18': 'FR',
  '20': 'IN',
}

interface Measure {
  found: number
  missed: string[]
  wrong: string[]
}

const none: Measure = { found: 0, missed: [], wrong: [] }

/** Compares what is found on the labelled pages with what people saw there. */
function measure(country: (file: string) => string | undefined) {
  const labels = z.array(Label).parse(JSON.parse(readFileSync(`${folder}labels.json`, 'utf8')))
  const pages = labels.map((label) => {
    const page = { url: 'https://page.test/', html: readFileSync(folder + label.file, 'utf8') }
    return { label, analysis: analysePage(page, country(label.file)), html: page.html }
  })
  const of = (found: (analysis: PageAnalysis) => string[], seen: (label: Label) => string[]) =>
    pages.reduce((measured, { label, analysis }) => compare(measured, found(analysis), seen(label)), none)
  return {
    pages,
    cms: of(
      ({ cms }) => (cms === null ? [] : [cms]),
      ({ cms }) => (cms === null ? [] : [cms]),
    ),
    tracking: of(
      ({ tracking }) => tracking,
      ({ tracking }) => tracking,
    ),
    booking: of(
      ({ booking }) => booking,
      ({ booking }) => booking,
    ),
    socials: of(
      ({ socials }) => [...new Set(socials.map(({ network }) => network))],
      ({ socials }) => socials,
    ),
    emails: of(
      ({ emails }) => emails,
      ({ emails }) => emails.map((email) => email.toLowerCase()),
    ),
    phones: of(({ phones }) => phones, numbersOf),
  }
}

/** Labels are written as the page writes them; one number may stand there in two spellings. */
function numbersOf({ phones, file }: Label): string[] {
  return [...new Set(phones.map((phone) => parsePhoneNumberFromString(phone, homeOf(file))?.number ?? phone))]
}

function compare(before: Measure, found: readonly string[], seen: readonly string[]): Measure {
  return {
    found: before.found + found.filter((item) => seen.includes(item)).length,
    missed: [...before.missed, ...seen.filter((item) => !found.includes(item))],
    wrong: [...before.wrong, ...found.filter((item) => !seen.includes(item))],
  }
}

function homeOf(file: string): CountryCode {
  return elsewhere[file.slice(0, 2)] ?? 'US'
}

// What the page of 12 shows is too short for a number of Israel: a number that nobody can dial is not reported.
const undiallable = '+9725338939'

const absent = '../shared/fixtures/pages is not on this machine'

test('on the labelled public pages every address is found, and nothing else', ({ skip }) => {
  skip(!present, absent)
  const { emails, phones } = measure(homeOf)
  expect(emails).toEqual({ found: 12, missed: [], wrong: [] })
  expect(phones).toEqual({ found: 17, missed: [undiallable], wrong: [] })
})

test('on them every product and profile is found, and nothing else', ({ skip }) => {
  skip(!present, absent)
  const { cms, tracking, booking, socials } = measure(homeOf)
  expect(cms).toEqual({ found: 10, missed: [], wrong: [] })
  expect(tracking).toEqual({ found: 14, missed: [], wrong: [] })
  expect(booking).toEqual({ found: 12, missed: [], wrong: [] })
  expect(socials).toEqual({ found: 35, missed: [], wrong: [] })
})

test('every finding on them is proved by what stands there', ({ skip }) => {
  skip(!present, absent)
  for (const { analysis, html } of measure(homeOf).pages) {
    const { cms, tracking, booking, evidence, emails } = analysis
    expect(evidence.map(({ name }) => name)).toEqual([...(cms === null ? [] : [cms]), ...tracking, ...booking])
    for (const { quote } of evidence) {
      expect(html).toContain(quote)
      for (const email of emails) expect(quote).not.toContain(email)
    }
  }
})

test('not knowing the country costs two of the numbers on them and invents none', ({ skip }) => {
  skip(!present, absent)
  const { phones } = measure(() => undefined)
  expect(phones).toEqual({ found: 15, missed: [undiallable, '+61490229611', '+33142335894'], wrong: [] })
})
