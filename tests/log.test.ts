import { expect, test } from 'vitest'
import { z } from 'zod'
import { createLogger } from '../log.ts'

const Line = z.object({
  err: z.object({ type: z.string(), message: z.string(), code: z.string().optional(), stack: z.string() }).loose(),
})

/** What is written of an error. */
function logged(error: unknown): z.infer<typeof Line>['err'] {
  let written = ''
  const log = createLogger({ name: 'test', level: 'info' }, { write: (line) => void (written += line) })
  log.error({ err: error }, 'failed')
  return Line.parse(JSON.parse(written)).err
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('an error is logged with its kind, message, code and place, and nothing of what it carries', () => {
  const error = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (email)=(ann@example.com)' })
  const line = logged(error)
  expect(line).toMatchObject({ type: 'Error', message: 'duplicate key', code: '23505' })
  expect(line.stack).toMatch(/^ +at .*log\.test\.ts/)
  expect(JSON.stringify(line)).not.toContain('ann@example.com')
})

test.each([
  ['JSON', () => JSON.parse('ann@example.com')],
  ['an address', () => new URL('ann@example.com')],
  ['an address, wrapped', () => new Request('ann@example.com')],
  [
    'a value for the database',
    () => {
      throw Object.assign(new Error('invalid input syntax for type uuid: "ann@example.com"'), { code: '22P02' })
    },
  ],
])('an error of reading %s does not quote it, neither itself nor as a cause', (_, read) => {
  const error = thrownBy(read)
  for (const line of [logged(error), logged(new Error('a request failed', { cause: error }))]) {
    expect(JSON.stringify(line)).not.toContain('ann@')
    expect(line.stack).toContain('log.test.ts')
  }
})

test('the cause is logged with its kind, message and code', () => {
  const cause = Object.assign(new TypeError('connection refused'), { code: 'ECONNREFUSED' })
  const { cause: written } = logged(new Error('a request failed', { cause }))
  expect(written).toEqual({ type: 'TypeError', message: 'connection refused', code: 'ECONNREFUSED' })
})
