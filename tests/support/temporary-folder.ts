import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A folder that goes when the test is over. Open to all accounts, unlike those of mkdtemp: PostgreSQL may run under another one. */
export async function temporaryFolder(): Promise<string> {
  const folder = join(tmpdir(), `throughline-test-${randomUUID()}`)
  await mkdir(folder, { mode: 0o755 })
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
