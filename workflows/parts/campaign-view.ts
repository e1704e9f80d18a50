import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { businessStatusKey } from '../../temporal-config/search-attributes.ts'
import {
  businessStatus,
  type CampaignCounts,
  type CampaignState,
  type OperatorReport,
} from '../contracts/prospect-campaign.ts'

/** What operators see of a campaign in the Temporal Web UI: the status to filter by, and how it stands. */
export function campaignView(state: CampaignState) {
  let report: OperatorReport | undefined
  return {
    showStatus(): void {
      upsertSearchAttributes([{ key: businessStatusKey, value: businessStatus(state) }])
      show()
    },
    showCounts(counts: CampaignCounts): void {
      report = { failures: {}, seconds: null, ...report, counts }
      show()
    },
    showReport(latest: OperatorReport): void {
      report = latest
      show()
    },
  }

  function show(): void {
    setCurrentDetails([heading(state), ...(report ? [funnel(report.counts), ending(report)] : [])].join('\n\n'))
  }
}

function heading({ status, stage, waitingFor, problem }: CampaignState): string {
  const where = `**${status}**${stage ? `, stage ${stage}` : ''}`
  if (waitingFor === 'approval')
    return `${where}: look at its ten best prospects, then send the update \`approve\` or \`cancel\``
  if (waitingFor === 'budget') return `${where}: ${toPayMore(problem)}`
  return waitingFor === null ? where : `${where}: mend \`${problem}\`, then send the update \`resume\``
}

function toPayMore(problem: string | null): string {
  if (problem === 'campaign_budget')
    return 'its searches are used up; send the update `budget` with how many it may pay for in all'
  if (problem === 'plan_limit')
    return "the searches of the organisation's plan are used up; it goes on when there are more"
  if (problem === 'no_access')
    return "the organisation's subscription gives no searches until it is paid; then it goes on"
  return "the organisation's searches of this month are used up; it goes on when there are more"
}

function funnel(counts: CampaignCounts): string {
  return `| found | businesses | read | not readable | without a site | searches paid | given up |
| --- | --- | --- | --- | --- | --- | --- |
| ${counts.sightings} | ${counts.prospects} | ${counts.sitesRead} | ${counts.sitesFailed} | ${counts.withoutSite} | ${counts.searchesPaid} | ${counts.searchesFailed} |`
}

function ending({ failures, seconds }: OperatorReport): string {
  const reasons = Object.entries(failures).map(([code, count]) => `${code} ${count}`)
  return [
    ...(reasons.length > 0 ? [`Not readable: ${reasons.join(', ')}.`] : []),
    ...(seconds === null ? [] : [`Since its start: ${seconds} s.`]),
  ].join(' ')
}
