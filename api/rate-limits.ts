import type { Request, Response } from 'express'
import { ipKeyGenerator, type Options, rateLimit } from 'express-rate-limit'
import { callerOf, passThrough } from './authentication.ts'
import { Problem } from './problem.ts'

const windowMs = 60_000
/** An organisation's keys together may ask this many times as often as one of them. */
const keysWorth = 5
const wrongKeysPerMinute = 300

/**
 * Counts requests of a minute, in this process: per key, per organisation, and per address those with a wrong key. The headers
 * `RateLimit` and `RateLimit-Policy` (draft 8) tell how many are left.
 */
export function createRateLimits(perMinute: number) {
  const perKey = limiter('key', perMinute, (request) => callerOf(request)?.keyId ?? '')
  const perOrganisation = limiter(
    'organisation',
    perMinute * keysWorth,
    (request) => callerOf(request)?.organisationId ?? '',
  )
  const perAddress = limiter('wrong-keys', wrongKeysPerMinute, (request) => ipKeyGenerator(request.ip ?? ''))

  return {
    /** Counts a request of a known caller; throws 429 when it is one too many. */
    async count(request: Request, response: Response): Promise<void> {
      // The key first: what is refused to it must not be counted against the organisation's other keys.
      await passThrough(perKey, request, response)
      await passThrough(perOrganisation, request, response)
    },
    /** Counts a wrong key; throws 429 when its address has sent too many. */
    countWrongKey: (request: Request, response: Response): Promise<void> => passThrough(perAddress, request, response),
  }
}

function limiter(identifier: string, limit: number, keyGenerator: Options['keyGenerator']) {
  return rateLimit({
    windowMs,
    limit,
    identifier,
    keyGenerator,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_request, _response, next) => {
      next(new Problem('rate_limited', `More than ${limit} requests a minute (${identifier}).`))
    },
  })
}
