import type { IncomingMessage } from 'node:http'
import type { Request, RequestHandler, Response } from 'express'
import { findApiKey } from '../db/api-keys.ts'
import type { Sql } from '../db/client.ts'
import { Problem } from './problem.ts'

/** Who asks: an organisation, by one of its keys. */
export interface Caller {
  keyId: string
  organisationId: string
  permissions: readonly string[]
}

const callers = new WeakMap<IncomingMessage, Caller>()

/** Undefined until the request has been authenticated. */
export function callerOf(request: IncomingMessage): Caller | undefined {
  return callers.get(request)
}

/**
 * Finds out whose key a request carries. Every key is looked up: many callers may share an address, and one who guesses there must
 * not keep out another whose key is valid.
 */
export function createAuthentication({
  system,
  clock,
  countWrongKey,
}: {
  system: Sql
  clock: () => Date
  /** Throws 429 when the address has sent too many. */
  countWrongKey(request: Request, response: Response): Promise<void>
}) {
  return async (request: Request, response: Response): Promise<Caller> => {
    const [, text] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    if (text === undefined) throw unauthenticated('Send the header Authorization: Bearer tl_...')
    const key = await findApiKey(system, text, clock())
    if (key === null) {
      await countWrongKey(request, response)
      throw unauthenticated('The API key is not valid.')
    }
    const caller = { keyId: key.id, organisationId: key.organisationId, permissions: key.permissions }
    callers.set(request, caller)
    return caller
  }
}

function unauthenticated(detail: string): Problem {
  return new Problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="Throughline"' } })
}

/** Runs a middleware as a step: resolves when it calls on, rejects with the error it calls on with. */
export function passThrough(middleware: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown) => (error ? reject(error) : resolve())
    // A middleware that rejects instead of calling on would leave the request hanging.
    Promise.resolve(middleware(request, response, next)).catch(reject)
  })
}
