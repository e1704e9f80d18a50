import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../config.ts'
import { createOrganisationWithKey } from './organisations.ts'
import { planPostgres } from './postgres.ts'
import { runningRecord } from './run-records.ts'

const usage = `Usage: npm run admin -- create-organisation NAME [--country US]

Makes an organisation and prints its id and its first API key. The key is shown this once.
--country is an ISO 3166-1 code; campaigns that name no country look there.`

/** Anything that the person at the terminal can put right. */
class WrongUse extends Error {}

async function main(args: string[]): Promise<void> {
  const { command, name, country } = readArguments(args)
  if (command !== 'create-organisation') throw new WrongUse(`There is no command "${command ?? ''}".\n\n${usage}`)
  const { organisationId, apiKey } = await createOrganisationWithKey(await systemUrl(), name, country)
  console.log(
    `Organisation  ${name}\nId            ${organisationId}\nAPI key       ${apiKey}\n\nKeep the key: it is not shown again.`,
  )
}

function readArguments(args: string[]): { command: string | undefined; name: string; country: string } {
  const { values, positionals } = parse(args)
  const [command, name = '', ...rest] = positionals
  const country = values.country ?? 'US'
  if (command === undefined || values.help) throw new WrongUse(usage)
  if (name.trim() === '' || name.length > 200)
    throw new WrongUse(`Give the organisation a name of 1 to 200 characters.\n\n${usage}`)
  if (rest.length > 0)
    throw new WrongUse(`Put a name of several words in quotation marks: "${[name, ...rest].join(' ')}".`)
  if (!/^[A-Z]{2}$/.test(country))
    throw new WrongUse(`--country takes a code of two capitals such as US, not "${country}".`)
  return { command, name: name.trim(), country }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { country: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new WrongUse(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}

/** The database of the settings, else the embedded one of an `npm start` that is running. */
async function systemUrl(): Promise<string> {
  const { database, dataDir, postgres } = loadConfig()
  if (database) return database.systemUrl
  if (runningRecord(dataDir, 'postgres') === undefined) {
    throw new WrongUse(
      'No database is running: run `npm start` beside this, or set DATABASE_URL and DATABASE_SYSTEM_URL.',
    )
  }
  const { logins } = await planPostgres({ dataDir, port: postgres.port })
  return logins.systemUrl
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof WrongUse || error instanceof ConfigError
  console.error(
    expected ? error.message : `The command failed: ${error instanceof Error ? error.message : String(error)}`,
  )
  process.exitCode = 1
})
