import { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import type { Invoice } from './sandbox-billing-objects.ts'
import { applyPlan } from './sandbox-plan-changes.ts'
import { planChange } from './sandbox-subscription-updates.ts'
import { upcomingInvoice } from './sandbox-time.ts'
import { newId } from './sandbox-values.ts'

const parameters = z.strictObject({
  subscription: z.string(),
  customer: z.string().optional(),
  subscription_details: z.strictObject(planChange).optional(),
  preview_mode: z.literal('next').optional(),
})

/** What the next invoice would be, or that of a change; nothing of it happens. */
export const preview = {
  parameters,

  answer(act: Act, { subscription: id, subscription_details: details }: z.output<typeof parameters>): Invoice {
    const subscription = act.need('subscription', id, 'subscription')
    const invoice = act.pretend(() => {
      if (details?.items === undefined && details?.trial_end === undefined) return upcomingInvoice(act, subscription)
      const { items, trial_end: trialEnd, billing_cycle_anchor: anchor, proration_date: prorationDate } = details
      const change = { items, trialEnd, anchor, prorationDate, behavior: 'allow_incomplete' as const }
      const changed = applyPlan(act, subscription, { ...change, proration: details.proration_behavior })
      return changed.invoice ?? upcomingInvoice(act, changed.subscription)
    })
    return { ...invoice, id: newId('upcoming_in') }
  },
}
