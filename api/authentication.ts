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

/** Finds out whose key a request carries. An address that has guessed wrong too often is refused before any look-up. */
export function createAuthentication({
  system,
  clock,
  guesses,
}: {
  system: Sql
  clock: () => Date
  guesses: { isBarred(request: Request): Promise<boolean>; count: RequestHandler }
}) {
  return async (request: Request, response: Response): Promise<Caller> => {
    const [, text] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    const barred = await guesses.isBarred(request)
    const key = text === undefined || barred ? null : await findApiKey(system, text, clock())
    if (key) {
      const caller = { keyId: key.id, organisationId: key.organisationId, permissions: key.permissions }
      callers.set(request, caller)
      return caller
    }
    await passThrough(guesses.count, request, response)
    const detail = text === undefined ? 'Send the header Authorization: Bearer tl_...' : 'The API key is not valid.'
    throw new Problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="Throughline"' } })
  }
}

/** Runs a middleware as a step: resolves when it calls on, rejects with the error it calls on with. */
export function passThrough(middleware: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown) => (error ? reject(error) : resolve())
    // A middleware that rejects instead of calling on would leave the request hanging.
    Promise.resolve(middleware(request, response, next)).catch(reject)
  })
}
