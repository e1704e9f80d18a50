import type { Config } from '../config.ts'
import type { CachePlaces } from './cache.ts'
import { type Source, temporalCommandSources } from './server-sources.ts'

/** `given`: somebody runs a server for us. `command`: the dev server can be run with this command. */
export type TemporalServer = { kind: 'given' } | { kind: 'command'; command: string }

/**
 * Where the Temporal server comes from: a given one, else the first source that works. Says in one line per step what it does.
 * Throws with one message on what to install when none works.
 */
export async function resolveTemporalServer(
  config: CachePlaces & Pick<Config, 'temporal'>,
  say: (line: string) => void,
  sources: readonly Source[] = temporalCommandSources(config),
): Promise<TemporalServer> {
  const { address, usesProfile } = config.temporal
  if (address !== undefined || usesProfile) {
    say(`Temporal server: ${address ?? 'the one of the profile'}`)
    return { kind: 'given' }
  }
  const reasons: string[] = []
  for (const source of sources) {
    try {
      if (source.isSlow) say(`Temporal server: ${source.what} ...`)
      const command = await source.find()
      if (command === undefined) continue
      say(`Temporal server: ${source.what} (${command})`)
      return { kind: 'command', command }
    } catch (error) {
      const reason = `${source.what}: ${error instanceof Error ? error.message : String(error)}`
      say(`Temporal server: not by ${reason}`)
      reasons.push(reason)
    }
  }
  throw new Error(
    'There is no Temporal server: install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.24 or newer (https://go.dev/dl), ' +
      `or set TEMPORAL_ADDRESS to a server of yours. Tried ${reasons.join('; ') || 'nothing'}.`,
  )
}
