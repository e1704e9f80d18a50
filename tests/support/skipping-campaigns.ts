import { campaignCounts } from '../../db/campaigns.ts'
import { storyEventsAfter } from '../../db/story-events.ts'
import { campaignWorld } from './campaign-world.ts'
import { testOrganisation } from './organisation.ts'
import { startTestSandbox } from './sandbox.ts'
import { timeSkipping } from './temporal.ts'

/**
 * Campaigns of an organisation of its own on a time-skipping server, or undefined where none can be had. Call it at the top of the file,
 * so that tests can skip.
 */
export async function skippingCampaigns() {
  const environment = await timeSkipping()
  if (!environment) return undefined
  const organisation = await testOrganisation()
  const sandbox = await startTestSandbox()
  const world = campaignWorld(organisation, sandbox, {
    client: environment.client,
    connection: environment.nativeConnection,
  })
  const { database, organisationId } = organisation
  return {
    environment,
    organisation,
    sandbox,
    world,
    countsOf: (id: string) => database.as(organisationId, (tx) => campaignCounts(tx, id)),
    /** The types of its events, the oldest first. */
    eventsOf: async (id: string) =>
      (await database.as(organisationId, (tx) => storyEventsAfter(tx, id, 0, 500))).map(({ type }) => type),
  }
}

/** An own list of different websites. */
export function listOf(name: string, count: number): { website: string; name: null }[] {
  return Array.from({ length: count }, (_, index) => ({ website: `http://${name}-${index}.test/`, name: null }))
}
