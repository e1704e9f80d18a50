import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Sql } from 'postgres'
import type { BillingProvider } from '../activities/ports.ts'
import type { Database } from '../db/client.ts'
import type { Logger } from '../log.ts'
import type { Stories } from '../temporal-config/stories.ts'
import type { StorySchedules } from '../temporal-config/story-schedules.ts'
import { createAuthentication } from './authentication.ts'
import { docsRoutes } from './docs.ts'
import { createErrorHandler } from './error-handler.ts'
import { createEventStreams } from './event-streams.ts'
import { createHandover } from './handover.ts'
import { healthRoutes } from './health.ts'
import { mountEndpoints } from './mount.ts'
import { openApiDocument } from './openapi.ts'
import { Problem } from './problem.ts'
import { createRateLimits } from './rate-limits.ts'
import { createRequestLog } from './requests.ts'
import { billingRoutes } from './routes/billing.ts'
import { billingChangeRoutes } from './routes/billing-changes.ts'
import { billingCheckoutRoutes } from './routes/billing-checkout.ts'
import { billingControlRoutes } from './routes/billing-controls.ts'
import { billingOperatorRoutes } from './routes/billing-operator.ts'
import { billingReconciliationRoutes } from './routes/billing-reconciliations.ts'
import { campaignControlRoutes } from './routes/campaign-controls.ts'
import { campaignEventRoutes } from './routes/campaign-events.ts'
import { campaignExportRoutes } from './routes/campaign-exports.ts'
import { campaignReportRoutes } from './routes/campaign-reports.ts'
import { campaignRescoringRoutes } from './routes/campaign-rescoring.ts'
import { campaignScheduleRoutes } from './routes/campaign-schedules.ts'
import { campaignSharingRoutes } from './routes/campaign-sharing.ts'
import { campaignRoutes } from './routes/campaigns.ts'
import { contactConsentRoutes } from './routes/contact-consents.ts'
import { contactEventRoutes } from './routes/contact-events.ts'
import { contactHistoryRoutes } from './routes/contact-history.ts'
import { contactListRoutes } from './routes/contact-lists.ts'
import { contactRoutes } from './routes/contacts.ts'
import { creditTopUpRoutes } from './routes/credit-top-ups.ts'
import { creditRoutes } from './routes/credits.ts'
import { enrolmentRoutes } from './routes/enrolments.ts'
import { goneProspectRoutes } from './routes/gone-prospects.ts'
import { messageRoutes } from './routes/messages.ts'
import { planRoutes } from './routes/plans.ts'
import { policyRoutes } from './routes/policy.ts'
import { prospectRoutes } from './routes/prospects.ts'
import { scoringRulesRoutes } from './routes/scoring-rules.ts'
import { searchRoutes } from './routes/searches.ts'
import { senderRoutes } from './routes/senders.ts'
import { sequenceControlRoutes } from './routes/sequence-controls.ts'
import { sequencePreviewRoutes } from './routes/sequence-preview.ts'
import { sequenceStatsRoutes } from './routes/sequence-stats.ts'
import { sequenceRoutes } from './routes/sequences.ts'
import { suppressionListRoutes } from './routes/suppression-lists.ts'
import { suppressionRoutes } from './routes/suppressions.ts'
import { unmatchedEventRoutes } from './routes/unmatched-events.ts'
import { unreportedUsageRoutes } from './routes/unreported-usage.ts'
import { usageRoutes } from './routes/usage.ts'
import { usageReportRoutes } from './routes/usage-reports.ts'
import { unsubscribeRoutes } from './unsubscribe.ts'
import { type WebhookSource, webhookRoutes } from './webhooks.ts'

export interface ApiWorld {
  database: Database
  system: Sql
  stories: Stories
  schedules: StorySchedules
  webhooks: readonly WebhookSource[]
  /** Null: there is no key for it, and nothing can be bought. */
  billing: BillingProvider | null
  clock: () => Date
  log: Logger
}

export interface ApiSettings {
  /** Of one API key. */
  requestsPerMinute: number
  /** Whose `X-Forwarded-For` is believed, as Express takes it: a number of proxies, their subnets, or nobody's. */
  trustProxy: number | readonly string[] | false
  /** The setting without which no search can be made; null when all is there. */
  missingForSearch: string | null
  /** Ids of prices at Stripe by the name of their setting: what has one is for sale. */
  stripePrices: Readonly<Record<string, string>>
  /** Whether each answer is held against its schema: cheap, and not for production. */
  checksAnswers: boolean
}

export interface Api {
  app: Express
  /** Takes no more work on: not ready, streams end, connections close after their answer. Resolves when nothing is on its way to Temporal. */
  drain(): Promise<void>
}

/** The HTTP API. Opens no port. */
export function createApi(world: ApiWorld, settings: ApiSettings): Api {
  const { database, system, stories, schedules, webhooks, billing, clock, log } = world
  const way = { system, delivery: stories, clock, log }
  const handover = createHandover(way)
  // Each its own: what one provider tells by the thousand keeps nobody else waiting.
  const sources = webhooks.map((source) => ({
    ...source,
    handover: createHandover({ ...way, perSecond: source.storiesPerSecond }),
  }))
  const streams = createEventStreams(database, log)
  const limits = createRateLimits(settings.requestsPerMinute)
  const { stripePrices } = settings
  const endpoints = [
    ...campaignRoutes({ missingForSearch: settings.missingForSearch }),
    ...campaignControlRoutes({ stories, handover }),
    ...campaignSharingRoutes(),
    ...campaignReportRoutes(),
    ...campaignEventRoutes({ streams }),
    ...prospectRoutes(),
    ...campaignExportRoutes(),
    ...searchRoutes(),
    ...usageRoutes(),
    ...campaignScheduleRoutes({ schedules }),
    ...goneProspectRoutes(),
    ...scoringRulesRoutes(),
    ...campaignRescoringRoutes(),
    ...senderRoutes(),
    ...policyRoutes(),
    ...messageRoutes(),
    ...contactListRoutes(),
    ...contactRoutes(),
    ...contactConsentRoutes(),
    ...contactEventRoutes(),
    ...contactHistoryRoutes(),
    ...suppressionRoutes(),
    ...suppressionListRoutes({ handover }),
    ...sequenceRoutes(),
    ...sequenceControlRoutes({ handover }),
    ...sequencePreviewRoutes(),
    ...sequenceStatsRoutes(),
    ...enrolmentRoutes(),
    ...creditRoutes(),
    ...creditTopUpRoutes({ stripePrices: settings.stripePrices }),
    ...usageReportRoutes(),
    ...planRoutes({ stripePrices }),
    ...billingRoutes({ database, billing, stripePrices }),
    ...billingCheckoutRoutes({ billing, handover, stripePrices }),
    ...billingChangeRoutes({ billing, story: { stories, handover }, stripePrices }),
    ...billingControlRoutes({ story: { stories, handover } }),
    ...billingOperatorRoutes({ database, story: { stories, handover } }),
    ...unmatchedEventRoutes(),
    ...billingReconciliationRoutes(),
    ...unreportedUsageRoutes({ database, handover }),
  ]
  let stopping = false

  const app = express()
  app.set('query parser', 'simple').set('etag', false).set('trust proxy', settings.trustProxy)
  app.use(createRequestLog(log))
  app.use(helmet({ contentSecurityPolicy: { directives: contentSecurityPolicy, useDefaults: false } }))
  app.use((_request, response, next) => {
    if (stopping) response.set('connection', 'close')
    next()
  })
  app.use(healthRoutes({ database, system, temporal: stories, isStopping: () => stopping }))
  app.use(docsRoutes(openApiDocument(endpoints)))
  app.use(webhookRoutes({ database, system, clock, log }, sources))
  app.use(unsubscribeRoutes({ database, system, handover, clock }))
  app.use('/api/v1', (_request, response, next) => {
    response.set('cache-control', 'no-store')
    next()
  })
  const authenticate = createAuthentication({ system, clock, countWrongKey: limits.countWrongKey })
  const platform = { database, handover, checksAnswers: settings.checksAnswers }
  app.use('/api/v1', mountEndpoints(endpoints, platform, { authenticate, count: limits.count, clock }))
  app.use(() => {
    throw new Problem('not_found', 'There is nothing at this address.')
  })
  app.use(createErrorHandler(log))

  return {
    app,
    async drain() {
      stopping = true
      await Promise.all([streams.close(), ...[{ handover }, ...sources].map((one) => one.handover.close())])
    },
  }
}

/** For the reference page, which alone shows anything. Swagger UI sets style attributes and shows its icons from data URLs. */
const contentSecurityPolicy = {
  defaultSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  styleSrc: ["'self'", "'unsafe-inline'"],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
}
