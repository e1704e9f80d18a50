import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const mostBytes = 64_000_000

/** All stories as one script. Built by a process of its own: the 150 MB that it takes would stay with this one for as long as it runs. */
export async function buildBundle(): Promise<string> {
  const script = fileURLToPath(new URL('bundle.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: mostBytes })
  return stdout
}
