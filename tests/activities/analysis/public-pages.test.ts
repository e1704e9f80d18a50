import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { analysePage } from '../../../activities/analysis/page.ts'

const folder = fileURLToPath(new URL('../../../../shared/fixtures/pages/', import.meta.url))
const present = existsSync(`${folder}labels.json`)
const Labels = z.array(z.object({ file: z.string(), emails: z.array(z.string()), phones: z.array(z.string()) }))

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

/** Compares what is found on the labelled pages with what people saw there. */
function measure(country: (file: string) => string | undefined): { emails: Measure; phones: Measure } {
  const emails: Measure = { found: 0, missed: [], wrong: [] }
  const phones: Measure = { found: 0, missed: [], wrong: [] }
  for (const label of Labels.parse(JSON.parse(readFileSync(`${folder}labels.json`, 'utf8')))) {
    const page = { url: 'https://page.test/', html: readFileSync(folder + label.file, 'utf8') }
    const analysis = analysePage(page, country(label.file))
    // Labels are written as the page writes them; one number may stand there in two spellings.
    const numbers = label.phones.map((phone) => parsePhoneNumberFromString(phone, homeOf(label.file))?.number ?? phone)
    const seen = [...new Set<string>(numbers)]
    compare(
      emails,
      analysis.emails,
      label.emails.map((email) => email.toLowerCase()),
    )
    compare(phones, analysis.phones, seen)
  }
  return { emails, phones }
}

function compare(measured: Measure, found: readonly string[], seen: readonly string[]): void {
  measured.found += found.filter((item) => seen.includes(item)).length
  measured.missed.push(...seen.filter((item) => !found.includes(item)))
  measured.wrong.push(...found.filter((item) => !seen.includes(item)))
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

test('not knowing the country costs two of the numbers on them and invents none', ({ skip }) => {
  skip(!present, absent)
  const { phones } = measure(() => undefined)
  expect(phones).toEqual({ found: 15, missed: [undiallable, '+61490229611', '+33142335894'], wrong: [] })
})
