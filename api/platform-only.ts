import type { Tx } from '../db/client.ts'
import { isPlatform } from '../db/organisations.ts'
import { Problem } from './problem.ts'

/** Throws unless the caller is the platform's organisation; `may` says what only that one does: 'changes the catalogue'. */
export async function checkPlatform(tx: Tx, may: string): Promise<void> {
  if (await isPlatform(tx)) return
  const detail = `Only a key of the platform's organisation ${may}: npm run admin -- create-platform-key makes one.`
  throw new Problem('forbidden', detail)
}
