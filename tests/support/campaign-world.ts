import { fileURLToPath } from 'node:url'
import type { Client } from '@temporalio/client'
import {
  bundleWorkflowCode,
  DefaultLogger,
  type NativeConnection,
  Runtime,
  type WorkerOptions,
} from '@temporalio/worker'
import type { Clock } from '../../activities/clock.ts'
import { type Campaign, type CampaignToInsert, findCampaign, insertCampaign } from '../../db/campaigns.ts'
import { deliverDue, enqueueStart } from '../../db/outbox.ts'
import { standInPriceIds } from '../../dev/stripe-prices.ts'
import { createResend } from '../../providers/resend/client.ts'
import { createSerpapi } from '../../providers/serpapi/client.ts'
import { createStripe } from '../../providers/stripe/client.ts'
import { createSiteReader } from '../../providers/websites/client.ts'
import { createStories, type Stories } from '../../temporal-config/stories.ts'
import { createWorkers, type World } from '../../workers/workers.ts'
import type { CampaignDefinition } from '../../workflows/contracts/prospect-campaign.schema.ts'
import { campaignId as workflowIdOf } from '../../workflows/contracts/prospect-campaign.ts'
import { builtInBillingPolicy } from '../../workflows/contracts/subscriptions.ts'
import { emptyDefinition } from './campaign-rows.ts'
import { googleSheets } from './google.ts'
import type { TestOrganisation } from './organisation.ts'
import type { TestSandbox } from './sandbox.ts'
import { patience } from './temporal.ts'

Runtime.install({ logger: new DefaultLogger('ERROR') })

let bundle: Promise<Required<Pick<WorkerOptions, 'workflowBundle'>>> | undefined

/** The workflows as a worker runs them, bundled once for a test file. */
export function workflowBundle(): Promise<Required<Pick<WorkerOptions, 'workflowBundle'>>> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  }).then((bundled) => ({ workflowBundle: bundled }))
  return bundle
}

export interface CampaignWorld {
  stories: Stories
  /** Starts the workers; they stop when the returned object is disposed of. */
  work(changes?: Partial<World>): Promise<AsyncDisposable>
  /** A campaign as the API stores it: its row and that of the outbox. Returns its id. */
  enqueue(definition: Partial<CampaignDefinition>, more?: CampaignTerms): Promise<string>
  /** The same, handed over to Temporal right after. */
  start(definition: Partial<CampaignDefinition>, more?: CampaignTerms): Promise<string>
  campaign(id: string): Promise<Campaign>
  /** Waits for the workflow's end. */
  ended(id: string): Promise<void>
}

type CampaignTerms = Pick<CampaignToInsert, 'budgetSearches' | 'approval'>

/** Everything a campaign needs, real but for the providers, which the sandbox plays. */
export function campaignWorld(
  { database, system, organisationId }: TestOrganisation,
  sandbox: TestSandbox,
  temporal: { client: Client; connection: NativeConnection },
  clock: Clock = () => new Date(),
): CampaignWorld {
  const stories = createStories(temporal.client, patience)
  const addressOf = (url: string) => new URL(url).host
  const world: World = {
    database,
    system,
    stories,
    search: createSerpapi({ apiKey: 'test', baseUrl: sandbox.urls.serpapi }),
    sheets: googleSheets(sandbox),
    email: createResend({ apiKey: 'test', baseUrl: sandbox.urls.resend, timeoutMs: 2_000 }),
    billing: createStripe({ secretKey: 'sk_test_sandbox', baseUrl: sandbox.urls.providers }),
    prices: standInPriceIds({}),
    billingPolicy: builtInBillingPolicy,
    notices: { portalUrl: undefined, operatorEmail: undefined },
    winBackSequenceId: null,
    sites: createSiteReader({
      allowAddresses: [addressOf(sandbox.urls.sites), addressOf(sandbox.urls.sitesTls)],
      testHosts: { http: sandbox.urls.sites, https: sandbox.urls.sitesTls },
      timeoutMs: 1_000,
    }),
    clock,
    drips: { quantumMs: 1_000, lookUpAfterMs: 1_000, publicUrl: 'https://throughline.test' },
    siteConcurrency: 8,
    sheetChunkRows: 200,
    logUnexpected: (error) => process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`),
  }

  return {
    stories,
    async work(changes = {}) {
      const workers = await createWorkers(
        { ...world, ...changes },
        {
          connection: temporal.connection,
          namespace: temporal.client.options.namespace,
          workflows: await workflowBundle(),
          maxCachedWorkflows: 50,
          shutdownGraceMs: 2_000,
          // Generous: on a busy machine the time-skipping server loses an Update with a task that was not begun in time.
          stickyTimeoutMs: 10_000,
        },
      )
      const running = Promise.all(workers.map((worker) => worker.run()))
      return {
        async [Symbol.asyncDispose]() {
          for (const worker of workers) worker.shutdown()
          await running
        },
      }
    },
    enqueue,
    async start(definition, more) {
      const id = await enqueue(definition, more)
      await deliverDue(system, stories, { now: clock(), workflowIds: [workflowIdOf(id)] })
      return id
    },
    async campaign(id) {
      const campaign = await database.as(organisationId, (tx) => findCampaign(tx, id))
      if (!campaign) throw new Error('no such campaign')
      return campaign
    },
    async ended(id) {
      await temporal.client.workflow.getHandle(workflowIdOf(id)).result()
    },
  }

  function enqueue(definition: Partial<CampaignDefinition>, more: CampaignTerms = {}): Promise<string> {
    const now = clock()
    return database.as(organisationId, async (tx) => {
      const complete: CampaignDefinition = { ...emptyDefinition, ...definition }
      const campaignId = await insertCampaign(tx, { name: 'Test', definition: complete, actor: 'system', now, ...more })
      const start = {
        workflowId: workflowIdOf(campaignId),
        name: 'prospectCampaign',
        args: { organisationId, campaignId },
        subjectId: campaignId,
        summary: 'Test',
        requestId: 'test',
      }
      await enqueueStart(tx, start, now)
      return campaignId
    })
  }
}
