import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { Fault } from './faults.ts'

const Line = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('request'),
    seq: z.int(),
    provider: z.string(),
    operation: z.string(),
    method: z.string(),
    host: z.string(),
    path: z.string(),
    idempotencyKey: z.string().nullable(),
    at: z.string(),
    status: z.int().nullable(),
    billed: z.boolean().optional(),
    fault: z.string().optional(),
  }),
  z.object({ kind: z.literal('change'), provider: z.string(), change: z.unknown() }),
  z.object({ kind: z.literal('clock'), offsetMs: z.number() }),
  z.object({ kind: z.literal('fault'), fault: Fault }),
  z.object({ kind: z.literal('faultsLifted') }),
])
type Line = z.infer<typeof Line>

/** What happened in the sandbox, one JSON document a line. */
export interface Journal {
  /** Returns when the operating system has the line: it survives the death of the process, though not of the machine. */
  append(line: Line): void
  clear(): void
  close(): void
}

/**
 * Opens the journal, handing each line of earlier runs to `replay`. A torn last line, which a killed process leaves behind, is cut
 * off; anything else that cannot be read is an error.
 */
export function openJournal(file: string, replay: (line: Line) => void): Journal {
  mkdirSync(dirname(file), { recursive: true })
  const descriptor = openSync(file, 'a+')
  const content = readFileSync(file)
  const whole = content.lastIndexOf('\n') + 1
  if (whole < content.length) ftruncateSync(descriptor, whole)
  for (const [index, text] of content.toString('utf8', 0, whole).split('\n').entries()) {
    if (text !== '') replay(readLine(text, `${file} line ${index + 1}`))
  }

  let isOpen = true
  return {
    append(line) {
      // The system gives a closed file's number to the next one: a late line would land in a stranger's file.
      if (!isOpen) throw new Error('the sandbox has closed')
      writeSync(descriptor, `${JSON.stringify(line)}\n`)
    },
    clear: () => ftruncateSync(descriptor, 0),
    close() {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}

function readLine(text: string, where: string): Line {
  try {
    return Line.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${where} cannot be read; the sandbox forgets its past when the file is deleted`, { cause })
  }
}
