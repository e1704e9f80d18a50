import type { Stripe } from 'stripe'
import type { BillingInvoice, BillingProvider } from '../../activities/ports.ts'
import { isPaidOnce } from './account.ts'
import type { Session } from './session.ts'
import { money, ms } from './values.ts'

interface Turn {
  limit: number
  starting_after?: string
}

interface Listed {
  id: string
  created: number
}

const mostAtOnce = 100

/** What was billed: the invoices, and what was bought by a checkout of which Stripe makes none. */
export function createInvoiceList(session: Session): Pick<BillingProvider, 'listInvoices'> {
  return {
    async listInvoices(customer, { limit, after }, signal) {
      const [invoiceId, checkoutId] = after?.split('.') ?? []
      // One more of each tells whether there are more.
      const begun = { limit: Math.min(limit + 1, mostAtOnce) }
      const invoices = ahead({ ...begun, after: invoiceId }, invoiceOf, (turn) =>
        session.ask({ about: 'invoice', signal }, (stripe) => stripe.invoices.list({ customer, ...turn })),
      )
      const expand = ['data.line_items', 'data.payment_intent.latest_charge']
      const purchases = ahead({ ...begun, after: checkoutId }, purchaseOf, (turn) =>
        session.ask({ about: 'invoice', signal }, (stripe) =>
          stripe.checkout.sessions.list({ customer, status: 'complete', expand, ...turn }),
        ),
      )
      const found: BillingInvoice[] = []
      for (;;) {
        const [invoice, purchase] = await Promise.all([invoices.next(), purchases.next()])
        const isInvoice = invoice !== null && (purchase === null || invoice.createdAt >= purchase.createdAt)
        const newest = isInvoice ? invoice : purchase
        if (newest === null) return { invoices: found, after: null }
        if (found.length === limit) return { invoices: found, after: `${invoices.place()}.${purchases.place()}` }
        found.push(newest)
        ;(isInvoice ? invoices : purchases).pass()
      }
    },
  }
}

/** A list, read on as far as it is asked for; what comes to null in it is passed over. */
function ahead<T extends Listed>(
  { limit, after = '' }: { limit: number; after: string | undefined },
  entryOf: (one: T) => BillingInvoice | null,
  turn: (turn: Turn) => Promise<{ data: T[]; has_more: boolean }>,
) {
  let passed = after
  let read = after
  let hasMore = true
  let waiting: { id: string; entry: BillingInvoice }[] = []
  return {
    place: (): string => passed,
    /** The one that is to be passed next. */
    async next(): Promise<BillingInvoice | null> {
      while (waiting.length === 0 && hasMore) {
        const page = await turn({ limit, ...(read !== '' && { starting_after: read }) })
        waiting = page.data.flatMap((one) => {
          const entry = entryOf(one)
          return entry ? [{ id: one.id, entry }] : []
        })
        read = page.data.at(-1)?.id ?? read
        hasMore = page.has_more && page.data.length > 0
      }
      return waiting[0]?.entry ?? null
    },
    pass(): void {
      passed = waiting.shift()?.id ?? passed
    },
  }
}

function invoiceOf({ id, number, status, total, currency, created, lines, ...of }: Stripe.Invoice): BillingInvoice {
  return {
    id,
    kind: 'invoice',
    number,
    status: status ?? 'draft',
    total: money(total, currency),
    lines: textsOf(lines.data),
    createdAt: ms(created),
    url: of.hosted_invoice_url ?? null,
  }
}

/** Under the id of its payment, by which it is refunded. */
function purchaseOf(checkout: Stripe.Checkout.Session): BillingInvoice | null {
  const { amount_total: total, currency, created, line_items: lines, payment_intent: intent } = checkout
  if (!isPaidOnce(checkout) || intent === null || typeof intent === 'string') return null
  const { latest_charge: charge } = intent
  return {
    id: intent.id,
    kind: 'purchase',
    number: null,
    status: 'paid',
    total: money(total ?? 0, currency ?? ''),
    lines: textsOf(lines?.data ?? []),
    createdAt: ms(created),
    url: (typeof charge === 'string' ? null : charge?.receipt_url) ?? null,
  }
}

function textsOf(lines: readonly { description: string | null }[]): string[] {
  return lines.flatMap(({ description }) => description ?? [])
}
