const awayCodes = new Set([
  'DATABASE_SILENT', // of our own deadline
  // Of the connection, as the driver and the operating system name it.
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  // Of the server (PostgreSQL, appendix A): too many connections, shutting down, crashed, starting; a query or lock took too long.
  '53300',
  '57P01',
  '57P02',
  '57P03',
  '57014',
  '55P03',
])

/** Whether an error says that the database could not be asked just now, rather than that the question was wrong. */
export function isDatabaseAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && awayCodes.has(error.code)
}
