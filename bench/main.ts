import { interruption } from '../dev/interrupts.ts'
import { measureBillingWebhooks } from './billing-webhooks.ts'
import { measureCampaign } from './campaign.ts'
import { measureCredits } from './credits.ts'
import { measureDrip } from './drip.ts'
import { readOptions, report } from './figures.ts'

/** A file each. */
const scenarios = {
  campaign: measureCampaign,
  drip: measureDrip,
  credits: measureCredits,
  'billing-webhooks': measureBillingWebhooks,
}

/** `npm run bench -- SCENARIO [--seed N] [--json FILE]` */
async function main(): Promise<void> {
  const { scenario, seed, json } = readOptions(process.argv.slice(2), scenarios)
  const measured = await scenario({ seed, say: (line) => console.log(line) })
  report({ ...measured, seed, json })
}

// What a scenario has started hears by its channel that we are gone, and stops in order.
void interruption(() => {}).then(() => process.exit(130))

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
