import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface StartOptions {
  once: boolean
  serve: boolean
  help: boolean
  report: string | undefined
  sitesDir: string | undefined
}

export const usage = `Usage: npm start [-- OPTIONS]

Without options: boots everything, plays the sample stories, and stays up until Ctrl-C.

  --once          stops everything when the sample stories are done; the exit code is 0 when all completed
  --report FILE   writes what happened as JSON
  --sites DIR     serves each HTML file of the folder as a business's site and runs a campaign over all of them
  --serve         boots without the sample stories
  --help          shows this`

/** Throws, with one line, on what it does not know and on what does not go together. */
export function parseOptions(args: readonly string[]): StartOptions {
  const { once, serve, help, report, sites } = parse(args)
  if (serve && (once || sites !== undefined))
    throw new Error('--serve boots without stories: it does not go with --once or --sites')
  return { once, serve, help, report: absolute(report), sitesDir: absolute(sites) }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean', default: false },
        serve: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        report: { type: 'string' },
        sites: { type: 'string' },
      },
    }).values
  } catch (error) {
    // Node goes on with advice on positional arguments, of which there are none here.
    const [problem] = error instanceof Error ? error.message.split('. ') : []
    throw new Error(`${problem}: see npm start -- --help`, { cause: error })
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}
