import type { Stripe } from 'stripe'
import type { Dispute, Money, ShownBilling } from '../../activities/ports.ts'
import type { Account, Invoiced } from './account.ts'
import type { Paying } from './cards.ts'
import { money, msOrNull } from './values.ts'

/** What people want to see of an account. `disputes`: as its facts have them, in the order of the account. */
export function shownOf(
  account: Account,
  open: readonly Invoiced[],
  disputes: readonly Dispute[],
  paying: Paying | null,
): ShownBilling {
  return {
    card: paying?.shown ?? null,
    openInvoices: open.map(({ invoice }) => ({
      id: invoice.id,
      number: invoice.number,
      due: money(invoice.amount_remaining, invoice.currency),
      dueAt: msOrNull(invoice.due_date),
      payUrl: invoice.hosted_invoice_url ?? null,
    })),
    disputes: disputes.map(({ id, amount, status, evidenceDueAt }, index) => ({
      id,
      amount: money(amount, account.disputes[index]?.dispute.currency ?? ''),
      status,
      evidenceDueAt,
    })),
    subscriptions: account.subscriptions.map(({ subscription, items }) => ({
      id: subscription.id,
      prices: items.map(({ price, quantity = 1 }) => ({
        priceId: price.id,
        quantity,
        amount: money((price.unit_amount ?? 0) * quantity, price.currency),
      })),
    })),
    invoiceNumbers: Object.fromEntries(
      [...open, ...account.paidInvoices].flatMap(({ invoice: { id, number } }) =>
        number === null ? [] : [[id, number]],
      ),
    ),
    balance: balanceOf(account.customer),
  }
}

/** Stripe counts what the customer owes. */
function balanceOf({ balance, currency }: Stripe.Customer): Money | null {
  return currency ? money(0 - balance, currency) : null
}
