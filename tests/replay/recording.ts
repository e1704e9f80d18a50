import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'

/** Keeps a history for the replays to come, without the names of the machine and processes that took part. */
export function writeHistory(history: Parameters<typeof historyToJSON>[0], name: string): void {
  const anonymous = (key: string, value: unknown) => {
    if (key === 'stackTrace') return ''
    return typeof value === 'string' ? value.replace(/^\d+@[\w.-]+$/, 'recorded') : value
  }
  const text = JSON.stringify(JSON.parse(historyToJSON(history)), anonymous, 1)
  writeFileSync(fileURLToPath(new URL(`histories/${name}.json`, import.meta.url)), `${text}\n`)
}
