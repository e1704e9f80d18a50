import type { Config } from '../config.ts'
import type { Logins } from '../db/migrate.ts'

/** What the sample stories stand on: everything is up. */
export interface SampleContext {
  /** The settings that the API and the worker run with. */
  config: Config
  database: Logins
  urls: Urls
  /** Folder whose HTML files are sites under .test, each to be visited by a campaign of its own. */
  sitesDir: string | undefined
  /** Prints one line. */
  say: (line: string) => void
  /** Aborted when the stories are to be left alone, since everything stops. */
  signal: AbortSignal
}

export interface Urls {
  api: string
  docs: string
  temporalUi: string | undefined
  sandbox: string
}

/** One story as the report tells it. */
export interface Story {
  name: string
  /** Ids of the rows it is about, such as `{ campaignId }`. */
  ids: Record<string, string>
  workflowId: string
  runId: string
  historyEvents: number
  counts: Record<string, number>
  result: unknown
}
