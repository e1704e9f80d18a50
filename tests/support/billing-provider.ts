import type { BillingAccount, BillingProvider, CheckoutWanted } from '../../activities/ports.ts'

/** Stands for whoever takes money, at the edge of the API: replace its functions as a test needs. It knows keys as Stripe does. */
export interface StandInBilling extends BillingProvider {
  customers: Map<string, string>
  /** By key. */
  checkouts: Map<string, CheckoutWanted>
  /** The pages beside which those that were opened before were closed, in turn. */
  kept: string[]
  /** By customer; of others nothing is known. */
  accounts: Map<string, BillingAccount>
}

/** For what the API leaves to the story. */
const notAsked = () => Promise.reject(new Error('the API does not ask for this'))

export function standInBilling(): StandInBilling {
  const customers = new Map<string, string>()
  const checkouts = new Map<string, CheckoutWanted>()
  const kept: string[] = []
  const accounts = new Map<string, BillingAccount>()
  return {
    customers,
    checkouts,
    kept,
    accounts,
    async createCustomer(_who, key) {
      const customerId = customers.get(key) ?? `cus_${customers.size + 1}`
      customers.set(key, customerId)
      return { customerId }
    },
    async startCheckout(wanted, key) {
      checkouts.set(key, wanted)
      const id = `cs_${[...checkouts.keys()].indexOf(key) + 1}`
      return { id, url: `https://checkout.example.com/${id}`, expiresAt: Date.UTC(2026, 10, 22) }
    },
    async expireCheckouts(_customerId, keptId) {
      kept.push(keptId)
      return true
    },
    openPortal: async ({ customerId }) => ({ url: `https://portal.example.com/${customerId}` }),
    previewChange: async ({ money }) => ({
      dueNow: { amount: money === 'without' ? 0 : 5_000, currency: 'USD' },
      lines: [{ text: 'Remaining time', amount: { amount: 5_000, currency: 'USD' } }],
      thenEachPeriod: { amount: 14_900, currency: 'USD' },
    }),
    listInvoices: async () => ({ invoices: [], after: null }),
    fetchAccount: async (customerId) => accounts.get(customerId) ?? null,
    unknownPrices: notAsked,
    changePrice: notAsked,
    cancel: notAsked,
    useCard: notAsked,
    finalizeInvoice: notAsked,
    payInvoice: notAsked,
    refund: notAsked,
    buyNow: notAsked,
    reportUsage: notAsked,
    listSubscribers: notAsked,
  }
}
