import type { BillingFacts } from '../contracts/subscriptions.ts'

/** Of a customer who has nothing, or is no longer there. */
export const noFacts: BillingFacts = {
  subscriptions: [],
  openInvoices: [],
  payments: [],
  refunds: [],
  disputes: [],
  card: null,
}

/** What is never taken back, and no longer told of once it is long ago: that we have more of it than Stripe tells is no difference. */
const lasting: ReadonlySet<string> = new Set<keyof BillingFacts>(['payments', 'refunds', 'disputes'])

/** By which facts Stripe differs from what we have seen of it, in any order of lists and fields. */
export function differingFacts(seen: BillingFacts, current: BillingFacts): (keyof BillingFacts)[] {
  const names: (keyof BillingFacts)[] = ['subscriptions', 'openInvoices', 'payments', 'refunds', 'disputes', 'card']
  return names.filter((name) => {
    const [before, now] = [seen[name], current[name]]
    if (!lasting.has(name)) return canonical(before) !== canonical(now)
    const known = new Set([before].flat().map(canonical))
    return [now].flat().some((one) => !known.has(canonical(one)))
  })
}

/** The same text for what is the same but for its order. Fields without a value are as good as none: as rows, they lose them. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).sort().join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, one]) => one !== undefined)
  return `{${fields
    .map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`)
    .sort()
    .join()}}`
}
