import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import postgres from 'postgres'
import { z } from 'zod'
import { connectTemporal } from '../temporal-config/connection.ts'
import type { Booted } from './boot.ts'
import type { Story, Urls } from './stories.ts'

/** What one start did, for machines. */
export interface Report {
  versions: Record<string, string>
  bootSeconds: Record<string, number>
  stories: Story[]
  urls?: Urls
  /** Present when something failed. */
  error?: string
}

export function writeReport(file: string, report: Report): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
}

export function ownVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const { version } = z.object({ version: z.string() }).parse(manifest)
  return { throughline: version, node: process.versions.node }
}

/** The versions of the servers that answer us, ours or given ones. */
export async function serverVersions({ config, database }: Booted): Promise<Record<string, string>> {
  const client = connectTemporal(config.temporal)
  const sql = postgres(database.systemUrl, { max: 1, connect_timeout: 5 })
  try {
    const [row] = await sql<{ version: string }[]>`select current_setting('server_version') as version`
    const { serverVersion } = await client.connection.workflowService.getSystemInfo({})
    return { postgres: row?.version ?? 'unknown', temporal: serverVersion || 'unknown' }
  } finally {
    await Promise.all([client.connection.close(), sql.end({ timeout: 1 })])
  }
}
