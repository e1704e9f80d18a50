import pino, { type DestinationStream, type Logger } from 'pino'

export type { Logger } from 'pino'

/** Fields that never reach a log, wherever they stand: credentials, and what identifies a person. */
const secret = [
  'authorization',
  'cookie',
  'apiKey',
  'api_key',
  'secret',
  'password',
  'email',
  'emails',
  'phone',
  'phones',
]

/** A process's logger: JSON lines on standard output, or where it is told, secrets taken out. */
export function createLogger(
  options: { name: string; level: string },
  destination: DestinationStream = pino.destination(1),
): Logger {
  const settings = {
    ...options,
    redact: {
      paths: secret.flatMap((field) => [field, `*.${field}`, `*.*.${field}`, `*.*.*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: withoutData },
  }
  return pino(settings, destination)
}

/**
 * Errors carry data: databases put rows and parameters into their fields, parsers what they were given into their messages, which
 * stand at the head of the stack again. Kind, code, place and, where it quotes nothing, the message are enough to find the cause.
 */
function withoutData(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const { cause } = error
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line))
  return { ...described(error), stack: frames.join('\n'), ...(cause instanceof Error && { cause: described(cause) }) }
}

function described(error: Error): object {
  const code = codeOf(error)
  const message = quotesInput(error) ? '[quotes its input]' : error.message
  return { type: error.name, message, ...(code !== undefined && { code }) }
}

/** Whether it is of a kind whose message may repeat what was to be read: of JSON, of an address, of a value for the database. */
function quotesInput(error: Error): boolean {
  if (error.name === 'SyntaxError') return true
  const isOfUrl = [error, error.cause].some((one) => codeOf(one) === 'ERR_INVALID_URL')
  return isOfUrl || /^22\w{3}$/.test(String(codeOf(error))) // PostgreSQL's class 22, "data exception"
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
