import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'
import { pinoHttp } from 'pino-http'
import type { Logger } from '../log.ts'
import { callerOf } from './authentication.ts'

/**
 * Gives each request its id, the caller's own if it is a plain one, and logs a line when it has been answered: what was asked, by
 * which key, how it went. Neither headers nor bodies.
 */
export function createRequestLog(log: Logger): RequestHandler {
  return pinoHttp({
    logger: log,
    genReqId(request, response) {
      const given = request.headers['x-request-id']
      const id = typeof given === 'string' && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID()
      response.setHeader('X-Request-Id', id)
      return id
    },
    quietReqLogger: true,
    customAttributeKeys: { reqId: 'requestId' },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'info'),
    autoLogging: { ignore: ({ url }) => url === '/healthz' || url === '/readyz' },
    // What went wrong is logged where it is known; pino-http would make up an error of its own.
    customErrorObject: (_request, _response, _error, line: object) => ({ ...line, err: undefined }),
    customProps: (request) => {
      const caller = callerOf(request)
      return caller ? { organisationId: caller.organisationId, keyId: caller.keyId } : {}
    },
    serializers: {
      // The path only: nothing secret belongs into a query, but a caller may err. Whoever has an opt-out's path can opt out.
      req: ({ method, url }: { method: string; url: string }) => ({
        method,
        path: url.split('?')[0]?.replace(/^\/u\/.*/, '/u/...'),
      }),
      res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
    },
  })
}

export function requestIdOf(request: IncomingMessage): string {
  return typeof request.id === 'string' ? request.id : ''
}
