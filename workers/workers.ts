import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker'
import type { Sql } from 'postgres'
import { createBillingActActivities } from '../activities/billing/acts.ts'
import { createBillingLookActivities } from '../activities/billing/look.ts'
import { createMeteredUsageActivities } from '../activities/billing/metered-usage.ts'
import { createBillingNotices, type NoticeSettings } from '../activities/billing/notices.ts'
import { createPayers } from '../activities/billing/payers.ts'
import { createReconciliationActivities } from '../activities/billing/reconciliation.ts'
import { createBillingRequestActivities } from '../activities/billing/requests.ts'
import { createWinBack } from '../activities/billing/win-back.ts'
import { createCampaignActivities } from '../activities/campaigns.ts'
import type { Clock } from '../activities/clock.ts'
import { advanceBeatMs, createDripActivities, type DripSettings } from '../activities/drips.ts'
import { createEnrollingActivities } from '../activities/enrolling.ts'
import { createFailureInterceptor } from '../activities/failures.ts'
import { createOutboxActivities } from '../activities/outbox.ts'
import type { BillingProvider, BusinessSearch, EmailChannel, SheetExport, SiteReader } from '../activities/ports.ts'
import { createSavedSearchActivities } from '../activities/saved-searches.ts'
import { createScoreActivities } from '../activities/scores.ts'
import { createSearchActivities } from '../activities/searches.ts'
import { createSheetActivities } from '../activities/sheets.ts'
import { createSiteActivities } from '../activities/sites.ts'
import type { Database } from '../db/client.ts'
import type { Delivery } from '../db/outbox.ts'
import { sendsQueue, sitesQueue, storiesQueue } from '../temporal-config/task-queues.ts'
import type { BillingPolicy } from '../workflows/contracts/subscriptions.ts'

/** The outside world, as activities see it. */
export interface World {
  database: Database
  system: Sql
  stories: Delivery
  search: BusinessSearch
  sites: SiteReader
  sheets: SheetExport
  email: EmailChannel
  billing: BillingProvider
  /** The ids of prices at the provider, by the settings that hold them. */
  prices: Readonly<Record<string, string>>
  billingPolicy: BillingPolicy
  notices: NoticeSettings
  /** The platform's sequence for those who have left; null: nobody is asked back. */
  winBackSequenceId: string | null
  clock: Clock
  drips: DripSettings
  /** How many sites one batch reads at a time. */
  siteConcurrency: number
  /** How many rows one call appends to a spreadsheet. */
  sheetChunkRows: number
  logUnexpected: (error: unknown) => void
}

export interface WorkerSettings {
  connection: NativeConnection
  namespace: string
  workflows: Required<Pick<WorkerOptions, 'workflowsPath'>> | Required<Pick<WorkerOptions, 'workflowBundle'>>
  maxCachedWorkflows: number
  shutdownGraceMs: number
  /**
   * After a kill nobody polls the queue that the dead worker had for the workflows in its memory: each of their next tasks waits there for this
   * long before another worker gets it. A worker that is merely late replays a history for it.
   */
  stickyTimeoutMs: number
}

/** Each batch reads many sites and holds their pages: a few batches fill two cores. */
const concurrentBatches = 8

/** So that each lane of `advance` has somebody to look at, also where each cohort has one. */
const concurrentSends = 16

/** One worker a task queue, in one process. */
export async function createWorkers(world: World, settings: WorkerSettings): Promise<Worker[]> {
  const { connection, namespace, workflows, maxCachedWorkflows } = settings
  const shared = {
    connection,
    namespace,
    // Long enough for what is being read to be read; what is not is given back and read by the next worker.
    shutdownGraceTime: settings.shutdownGraceMs,
    interceptors: { activity: [() => ({ inbound: createFailureInterceptor(world.logUnexpected) })] },
  } satisfies Partial<WorkerOptions>
  const { advance, ...cohorts } = createDripActivities(world)
  const { reconcileCustomers, findUnknownCustomers, ...reconciliation } = createReconciliationActivities(world)
  return Promise.all([
    Worker.create({
      ...shared,
      ...workflows,
      taskQueue: storiesQueue,
      maxCachedWorkflows,
      stickyQueueScheduleToStartTimeout: settings.stickyTimeoutMs,
      activities: {
        ...createCampaignActivities(world),
        ...createScoreActivities(world),
        ...createEnrollingActivities(world),
        ...createSavedSearchActivities(world),
        ...createOutboxActivities(world),
        ...createBillingActivities(world),
        ...reconciliation,
        ...cohorts,
      },
    }),
    Worker.create({
      ...shared,
      taskQueue: sitesQueue,
      maxConcurrentActivityTaskExecutions: concurrentBatches,
      activities: {
        ...createSearchActivities(world),
        ...createSiteActivities({ ...world, concurrency: world.siteConcurrency }),
        ...createSheetActivities({ ...world, chunkRows: world.sheetChunkRows }),
        reconcileCustomers,
        findUnknownCustomers,
      },
    }),
    Worker.create({
      ...shared,
      taskQueue: sendsQueue,
      maxConcurrentActivityTaskExecutions: concurrentSends,
      // By itself the SDK would keep back heartbeats for most of the three seconds that a batch of sends may be silent.
      maxHeartbeatThrottleInterval: advanceBeatMs,
      activities: { advance },
    }),
  ])
}

/** What the story of a subscription looks at and does. */
function createBillingActivities(world: World) {
  const notices = createBillingNotices({ ...world, lookUpAfterMs: world.drips.lookUpAfterMs })
  return {
    ...createBillingLookActivities({ ...world, keepPayer: createPayers(world), ...notices }),
    ...createBillingActActivities({ ...world, winBack: createWinBack(world), ...notices }),
    ...createBillingRequestActivities(world),
    ...createMeteredUsageActivities(world),
  }
}
