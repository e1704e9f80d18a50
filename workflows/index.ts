export { outboxSweep } from './outbox-sweep.ts'
export { prospectCampaign } from './prospect-campaign.ts'
export { prospectRescoring } from './prospect-rescoring.ts'
export { savedSearchRun } from './saved-search-run.ts'
