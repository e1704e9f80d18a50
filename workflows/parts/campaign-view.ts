import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import type { CampaignCounts, CampaignState } from '../contracts/prospect-campaign.ts'

/** What operators see in the Temporal Web UI: the status to filter by. */
export function showStatus({ status, waitingFor }: CampaignState): void {
  upsertSearchAttributes([{ key: businessStatusKey, value: waitingFor ? `${status}:${waitingFor}` : status }])
}

/** What operators see in the Temporal Web UI: the funnel so far. */
export function showCounts(state: CampaignState, counts: CampaignCounts): void {
  setCurrentDetails(`**${state.status}**${state.stage ? `, stage ${state.stage}` : ''}${state.problem ? `: mend \`${state.problem}\`, then send the update \`resume\`` : ''}

| found | businesses | read | not readable | without a site | searches paid | given up |
| --- | --- | --- | --- | --- | --- | --- |
| ${counts.sightings} | ${counts.prospects} | ${counts.sitesRead} | ${counts.sitesFailed} | ${counts.withoutSite} | ${counts.searchesPaid} | ${counts.searchesFailed} |`)
}
