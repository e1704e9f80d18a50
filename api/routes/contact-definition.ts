import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'
import { Temporal } from 'temporal-polyfill'
import { z } from 'zod'
import { mostProperties, mostPropertyBytes, propertyName } from '../../workflows/contracts/contacts.ts'

/** The longest that mail servers take (RFC 5321). */
export const EmailAddress = z
  .string()
  .trim()
  .max(254, 'An e-mail address has at most 254 characters.')
  .pipe(z.email('Give an e-mail address such as ann@example.com.'))

const Country = z.string().max(64).refine(isSupportedCountry, 'Give an ISO 3166-1 country code such as US.')

const TimeZone = z
  .string()
  .max(64)
  .transform((name, context) => {
    const canonical = canonicalZone(name)
    if (canonical !== null) return canonical
    context.addIssue('Give a time zone as IANA names it, such as America/Chicago.')
    return z.NEVER
  })

const Language = z
  .string()
  .max(35)
  .transform((tag, context) => {
    const canonical = canonicalLanguage(tag)
    if (canonical !== null) return canonical
    context.addIssue('Give a language by its tag, such as en or de-AT.')
    return z.NEVER
  })

const Properties = z
  .record(
    z.string().regex(propertyName),
    z.union([z.string(), z.number(), z.boolean(), z.null()], 'Give a text, a number, true or false; null removes it.'),
    {
      error: ({ code }) =>
        code === 'invalid_key' ? 'Name it by up to 64 letters, digits and _, without a digit in front.' : undefined,
    },
  )
  .refine((properties) => Object.keys(properties).length <= mostProperties, `Give at most ${mostProperties}.`)
  .refine(
    (properties) => Buffer.byteLength(JSON.stringify(properties)) <= mostPropertyBytes,
    `Together they may have at most ${mostPropertyBytes} bytes.`,
  )

const fields = {
  email: EmailAddress.nullish(),
  phone: z.string().trim().max(40).nullish().meta({
    description: 'As E.164, or as it is dialled within `country`, which then has to come along. Kept as E.164',
    example: '+15125550100',
  }),
  country: Country.nullish().meta({ description: 'ISO 3166-1 alpha-2', example: 'US' }),
  timeZone: TimeZone.nullish().meta({
    description: 'As IANA names it. Without it the one of the phone number counts, else those of the country',
    example: 'America/Chicago',
  }),
  language: Language.nullish().meta({ description: 'A BCP 47 tag', example: 'en-US' }),
  properties: Properties.nullish().meta({
    description: `Whatever else is known, for templates and branches: at most ${mostProperties} in ${mostPropertyBytes} bytes. Merged name by name; null removes one`,
    example: { first_name: 'Ann', seats: 3 },
  }),
}

const ExternalId = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .meta({ description: 'By what your own systems know the person; unique', example: 'user-17' })

/** A contact as it is asked for: what is left out stays as it is, null clears. */
export const NewContact = z
  .strictObject({ externalId: ExternalId.nullish(), ...fields })
  .transform(({ externalId, ...given }, context) => ({
    ...withReadPhone(given, context),
    ...(externalId && { externalId }),
  }))
  .meta({ id: 'NewContact' })

export const exampleContact: z.input<typeof NewContact> = {
  externalId: 'user-17',
  email: 'ann@example.com',
  phone: '(512) 555-0100',
  country: 'US',
  timeZone: 'America/Chicago',
  language: 'en-US',
  properties: { first_name: 'Ann', seats: 3 },
}

/** What a contact's properties come to when they are merged. */
export const tooManyProperties = {
  pointer: '/properties',
  detail: `With those that the contact has they are more than ${mostProperties}, or more than ${mostPropertyBytes} bytes: remove some by null.`,
}

/** A number as E.164; null for what is none. Whether a number is in use, and of which kind, changes faster than our tables: its length decides. */
export function phoneNumber(text: string, country: CountryCode | undefined): string | null {
  const parsed = parsePhoneNumberFromString(text, { extract: false, ...(country && { defaultCountry: country }) })
  if (!parsed?.isPossible() || parsed.ext !== undefined) return null
  return /^\+[1-9][0-9]{6,14}$/.test(parsed.number) ? parsed.number : null
}

function withReadPhone<Given extends { phone?: string | null | undefined; country?: string | null | undefined }>(
  given: Given,
  context: z.RefinementCtx<Given>,
): Given {
  if (given.phone === null || given.phone === undefined) return given
  const country = given.country && isSupportedCountry(given.country) ? given.country : undefined
  const phone = phoneNumber(given.phone, country)
  if (phone !== null) return { ...given, phone }
  const message =
    country === undefined && !given.phone.startsWith('+')
      ? 'Give the number with + and its country code, such as +15125550100, or add the country.'
      : 'No telephone has such a number: give one such as +15125550100, without an extension.'
  context.addIssue({ code: 'custom', path: ['phone'], message })
  return z.NEVER
}

/** As IANA names it; null for offsets and whatever else is none. Intl would replace Asia/Kolkata by the older Asia/Calcutta. */
function canonicalZone(name: string): string | null {
  if (!/^[a-z]/i.test(name)) return null
  try {
    return epoch.toZonedDateTimeISO(name).timeZoneId
  } catch {
    return null // A RangeError is how it says that there is no such zone.
  }
}

const epoch = Temporal.Instant.fromEpochMilliseconds(0)

function canonicalLanguage(tag: string): string | null {
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? null
  } catch {
    return null // A RangeError is how Intl says that it is no tag.
  }
}
