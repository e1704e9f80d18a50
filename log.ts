import pino, { type Logger } from 'pino'

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

/** A process's logger: JSON lines on standard output, secrets taken out. */
export function createLogger(options: { name: string; level: string }): Logger {
  return pino({
    ...options,
    redact: {
      paths: secret.flatMap((field) => [field, `*.${field}`, `*.*.${field}`, `*.*.*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: withoutRows },
  })
}

/** Databases put rows and parameters into fields of their errors: kind, message, code and place are enough to find the cause. */
function withoutRows(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error ? { code: error.code } : {}
  return { type: error.name, message: error.message, ...code, stack: error.stack }
}
