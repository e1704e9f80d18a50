import { Router } from 'express'
import type { Sql } from 'postgres'
import type { Database } from '../db/client.ts'
import { assertSchemaIsCurrent } from '../db/schema.ts'

interface Readiness {
  status: 'ready' | 'degraded' | 'not_ready'
  checks: { database: Check; schema: Check; temporal: Check }
}

type Check = 'ok' | 'failed' | 'unknown'

/**
 * `/healthz`: the process runs, whatever it depends on. `/readyz`: whether it should get requests. It should while Temporal is away, since
 * campaigns are accepted then and started later; what needs Temporal answers 503 by itself. `degraded` says so.
 */
export function healthRoutes({
  database,
  system,
  temporal,
  isStopping,
}: {
  database: Database
  system: Sql
  temporal: { ping(): Promise<void> }
  isStopping: () => boolean
}): Router {
  const router = Router()
  let checking: Promise<Readiness> | undefined

  router.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })

  router.get('/readyz', async (_request, response) => {
    // However many ask at once, one looks.
    checking ??= check().finally(() => {
      checking = undefined
    })
    const readiness = await checking
    response.status(readiness.status === 'not_ready' || isStopping() ? 503 : 200)
    response.json(isStopping() ? { ...readiness, status: 'not_ready' } : readiness)
  })

  return router

  async function check(): Promise<Readiness> {
    const [asked, current, reached] = await Promise.all([
      outcome(database.ping()),
      outcome(assertSchemaIsCurrent(system)),
      outcome(temporal.ping()),
    ])
    const checks = { database: asked, schema: asked === 'ok' ? current : 'unknown', temporal: reached } as const
    if (checks.database !== 'ok' || checks.schema !== 'ok') return { status: 'not_ready', checks }
    return { status: reached === 'ok' ? 'ready' : 'degraded', checks }
  }
}

function outcome(work: Promise<unknown>): Promise<'ok' | 'failed'> {
  return work.then(
    () => 'ok',
    () => 'failed',
  )
}
