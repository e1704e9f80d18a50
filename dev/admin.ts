import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../config.ts'
import type { Logins } from '../db/migrate.ts'
import { createSiteReader } from '../providers/websites/client.ts'
import { siteSettings } from '../workers/site-settings.ts'
import { CreditType } from '../workflows/contracts/credits.schema.ts'
import { parseWebsite } from '../workflows/rules/websites.ts'
import { createOrganisationWithKey, createPlatformKey, giveCredits, setMonthlySearches } from './organisations.ts'
import { planPostgres } from './postgres.ts'
import { runningRecord } from './run-records.ts'
import { reportOnSite } from './site-report.ts'

const usage = `Usage: npm run admin -- create-organisation NAME [--country US]
       npm run admin -- create-platform-key
       npm run admin -- allow-searches ORGANISATION_ID NUMBER|unlimited
       npm run admin -- grant-credits ORGANISATION_ID TYPE AMOUNT [--key KEY]
       npm run admin -- analyse URL [--country US]

create-organisation makes an organisation and prints its id and its first API key. The key is shown this once.
create-platform-key makes an API key of the organisation that runs Throughline: the catalogue of plans is changed with it.
allow-searches sets how many searches an organisation may pay for in a calendar month (1000 unless set). Campaigns that wait for
more look again every few hours; a resume has them look at once.
grant-credits gives an organisation credits of a type such as call_seconds, which do not expire. It prints its key first: with that it can be
repeated after an answer was lost, and gives them once.
analyse reads one website as a campaign would and prints what it shows as JSON, also when it cannot be read.
--country is an ISO 3166-1 code: campaigns that name no country look there; telephone numbers are read as written there.`

/** Anything that the person at the terminal can put right. */
class WrongUse extends Error {}

interface Options {
  country?: string | undefined
  key?: string | undefined
}

interface Command {
  /** How many words it takes beside its name. */
  takes: number
  run(words: readonly string[], options: Options): Promise<void>
}

const commands = new Map<string, Command>([
  ['create-organisation', { takes: 1, run: createOrganisation }],
  ['create-platform-key', { takes: 0, run: createKeyOfPlatform }],
  ['allow-searches', { takes: 2, run: setAllowance }],
  ['grant-credits', { takes: 3, run: grantByHand }],
  ['analyse', { takes: 1, run: analyse }],
])

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parse(args)
  const [name, ...words] = positionals
  if (name === undefined || values.help) throw new WrongUse(usage)
  const command = commands.get(name)
  if (!command) throw new WrongUse(`There is no command "${name}".\n\n${usage}`)
  if (command.takes === 0 && words.length > 0) throw new WrongUse(`${name} takes nothing more.\n\n${usage}`)
  if (words.length > command.takes) {
    throw new WrongUse(`Put a name of several words in quotation marks: "${words.join(' ')}".`)
  }
  if (values.country !== undefined && !/^[A-Z]{2}$/.test(values.country)) {
    throw new WrongUse(`--country takes a code of two capitals such as US, not "${values.country}".`)
  }
  await command.run(
    words.map((word) => word.trim()),
    values,
  )
}

async function createOrganisation([name = '']: readonly string[], { country = 'US' }: Options): Promise<void> {
  if (name === '' || name.length > 200) {
    throw new WrongUse(`Give the organisation a name of 1 to 200 characters.\n\n${usage}`)
  }
  const { organisationId, apiKey } = await createOrganisationWithKey((await logins()).systemUrl, name, country)
  showKey(name, organisationId, apiKey)
}

async function createKeyOfPlatform(): Promise<void> {
  const { organisationId, apiKey } = await createPlatformKey((await logins()).systemUrl)
  showKey('the platform', organisationId, apiKey)
}

function showKey(name: string, id: string, apiKey: string): void {
  console.log(
    `Organisation  ${name}\nId            ${id}\nAPI key       ${apiKey}\n\nKeep the key: it is not shown again.`,
  )
}

async function setAllowance([organisationId = '', searches = '']: readonly string[]): Promise<void> {
  if (!/^\d{1,7}$|^unlimited$/.test(searches))
    throw new WrongUse(`Give a number of searches, or unlimited.\n\n${usage}`)
  const monthly = searches === 'unlimited' ? null : Number(searches)
  if (!(await setMonthlySearches((await logins()).systemUrl, readId(organisationId), monthly)))
    throw noOrganisation(organisationId)
  console.log(
    `Organisation ${organisationId} may now pay for ${monthly ?? 'any number of'} searches a month.\nCampaigns that wait for more look again within six hours, or at once when they are resumed.`,
  )
}

async function grantByHand(words: readonly string[], { key = randomUUID() }: Options): Promise<void> {
  const [organisationId = '', type = '', amount = ''] = words
  if (!CreditType.safeParse(type).success) throw new WrongUse(`"${type}" is no type of credits.\n\n${usage}`)
  if (!/^[1-9]\d{0,11}$/.test(amount)) throw new WrongUse(`Give a number of credits.\n\n${usage}`)
  if (key.length > 200) throw new WrongUse('A key has at most 200 characters.')
  console.log(`Key           ${key}`)
  const given = await giveCredits(await logins(), readId(organisationId), { type, amount: Number(amount), key })
  if (given === null) throw noOrganisation(organisationId)
  const what = given.isNew ? 'They are given' : 'They had been given before'
  console.log(`${what}: organisation ${organisationId} has ${given.balance} credits of the type ${type} now.`)
}

function readId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw new WrongUse(`"${text}" is no organisation's id.\n\n${usage}`)
}

const noOrganisation = (id: string) => new WrongUse(`There is no organisation ${id}.`)

async function analyse([website = '']: readonly string[], { country }: Options): Promise<void> {
  const parsed = parseWebsite(website)
  if ('problem' in parsed) throw new WrongUse(`${parsed.problem}\n\n${usage}`)
  const sites = createSiteReader(siteSettings(loadConfig()))
  console.log(JSON.stringify(await reportOnSite(sites, parsed.website, country), null, 2))
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { country: { type: 'string' }, key: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new WrongUse(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}

/** The database of the settings, else the embedded one of an `npm start` that is running. */
async function logins(): Promise<Pick<Logins, 'appUrl' | 'systemUrl'>> {
  const { database, dataDir, postgres } = loadConfig()
  if (database) return database
  if (runningRecord(dataDir, 'postgres') === undefined) {
    throw new WrongUse(
      'No database is running: run `npm start` beside this, or set DATABASE_URL and DATABASE_SYSTEM_URL.',
    )
  }
  return (await planPostgres({ dataDir, port: postgres.port })).logins
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof WrongUse || error instanceof ConfigError
  console.error(
    expected ? error.message : `The command failed: ${error instanceof Error ? error.message : String(error)}`,
  )
  process.exitCode = 1
})
