import { isUtf8 } from 'node:buffer'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { type Caller, passThrough } from './authentication.ts'
import { Problem } from './problem.ts'
import { requestIdOf } from './requests.ts'
import type { Endpoint, Platform } from './route.ts'

export interface Gate {
  /** Finds out who asks, or throws 401. */
  authenticate(request: Request, response: Response): Promise<Caller>
  /** Counts the request, or throws 429. */
  count(request: Request, response: Response): Promise<void>
  clock: () => Date
}

const usualBodyLimit = 16_384

/** Serves the endpoints, each behind the same gate: key, rate, permission, body. Other methods on their addresses are answered 405. */
export function mountEndpoints(endpoints: readonly Endpoint[], platform: Platform, gate: Gate): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const methods = new Map<string, string[]>()
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1')
    const readBody = bodyReader(endpoint.bodyLimit ?? usualBodyLimit)
    router[endpoint.method](path, async (request, response, next) => {
      // Express would answer HEAD by GET, and an event stream for a HEAD would never end.
      if (request.method.toLowerCase() !== endpoint.method) return next()
      const caller = await gate.authenticate(request, response)
      await gate.count(request, response)
      if (!caller.permissions.includes(endpoint.permission)) {
        throw new Problem('forbidden', `This needs the permission ${endpoint.permission}.`)
      }
      await readBody(request, response)
      const received = {
        caller,
        requestId: requestIdOf(request),
        now: gate.clock(),
        path: `${request.baseUrl}${request.path}`.toLowerCase(),
        params: request.params,
        query: request.query,
        body: request.body,
        header: (name: string) => request.get(name),
        response,
      }
      return endpoint.serve(received, platform)
    })
    methods.set(path, [...(methods.get(path) ?? []), endpoint.method.toUpperCase()])
  }
  for (const [path, allowed] of methods) router.all(path, methodNotAllowed(allowed.join(', ')))
  return router
}

function bodyReader(limit: number) {
  // Any media type that gets here is JSON; what is none is refused with a sentence.
  // What is JSON and no object is refused by the route, which knows to say so.
  const parse = express.json({ limit, strict: false, type: () => true, verify: isReadable })
  return async (request: Request, response: Response): Promise<void> => {
    const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0
    if (!hasBody) return
    if (!request.is('json')) {
      const detail = 'Send the body as JSON, with the header Content-Type: application/json.'
      throw new Problem('invalid_input', detail, { errors: [{ pointer: '/headers/content-type', detail }] })
    }
    await passThrough(parse, request, response)
  }
}

/** Else what is no character would be kept as one that says so. */
function isReadable(_request: unknown, _response: unknown, body: Buffer): void {
  if (!isUtf8(body)) throw new Error('the body is not UTF-8')
}

export function methodNotAllowed(allow: string): RequestHandler {
  return (request) => {
    throw new Problem('method_not_allowed', `${request.method} is not for this address.`, { headers: { allow } })
  }
}
