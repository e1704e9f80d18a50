import { connectDatabase, connectSystem } from '../db/client.ts'
import { createOrganisation } from '../db/organisations.ts'
import { keepStripeCustomer } from '../db/stripe-customers.ts'
import { createStripe } from '../providers/stripe/client.ts'
import type { MeasuredSystem } from './system.ts'

export interface BilledOrganisation {
  organisationId: string
  /** At the sandbox. */
  customerId: string
}

const atOnce = 10
const patienceMs = 60_000

/** Organisations that are customers at the sandbox, and have bought nothing. */
export async function createBilled(
  { logins }: MeasuredSystem,
  { sandboxUrl, count }: { sandboxUrl: string; count: number },
): Promise<BilledOrganisation[]> {
  const system = connectSystem(logins.systemUrl, { name: 'bench', poolSize: atOnce })
  const database = connectDatabase(logins.appUrl, { name: 'bench', poolSize: atOnce })
  const stripe = createStripe({ secretKey: 'sk_test_sandbox', baseUrl: sandboxUrl })
  const made: BilledOrganisation[] = []
  const numbers = Array.from({ length: count }, (_, number) => number).values()
  const lane = async () => {
    for (const number of numbers) {
      const name = `Bench ${number}`
      const { id: organisationId } = await createOrganisation(system, name, 'US')
      const asked = { organisationId, name, email: null }
      const { customerId } = await stripe.createCustomer(asked, organisationId, AbortSignal.timeout(patienceMs))
      await database.as(organisationId, (tx) => keepStripeCustomer(tx, customerId, new Date()))
      made.push({ organisationId, customerId })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  await Promise.all([database.close(), system.end({ timeout: 5 })])
  return made
}
