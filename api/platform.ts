import type { Database, Tx } from '../db/client.ts'
import { isPlatform, organisationIsThere } from '../db/organisations.ts'
import type { Caller } from './authentication.ts'
import { found, Problem } from './problem.ts'

/** For whom something is done or read. */
export interface Whose {
  organisationId: string
  /** Runs the work in one transaction as that organisation. */
  as<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

interface Asking {
  caller: Pick<Caller, 'organisationId'>
  as: Whose['as']
}

export function ownOf({ caller: { organisationId }, as }: Asking): Whose {
  return { organisationId, as }
}

/** The caller's own organisation, or the one that a key of the platform's names. Throws 403 and 404. */
export async function ownOrNamed(database: Database, call: Asking, named: string | undefined): Promise<Whose> {
  if (named === undefined || named === call.caller.organisationId) return ownOf(call)
  return namedByPlatform(database, call, named)
}

/** The organisation that a key of the platform's names. Throws 403 for any other key, and 404. */
export async function namedByPlatform(database: Database, call: Asking, organisationId: string): Promise<Whose> {
  await call.as((tx) => checkPlatform(tx, 'may do that'))
  const whose: Whose = { organisationId, as: (work) => database.as(organisationId, work) }
  found((await whose.as(organisationIsThere)) ? whose : null, 'organisation')
  return whose
}

/** Throws unless the caller is the platform's organisation; `may` says what only that one does: 'changes the catalogue'. */
export async function checkPlatform(tx: Tx, may: string): Promise<void> {
  if (await isPlatform(tx)) return
  const detail = `Only a key of the platform's organisation ${may}: npm run admin -- create-platform-key makes one.`
  throw new Problem('forbidden', detail)
}
