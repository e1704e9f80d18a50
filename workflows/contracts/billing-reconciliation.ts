/** The workflow's input. Its schedule gives none: then a new reconciliation begins. */
export interface BillingReconciliationInput {
  /** The row that a run before this one has brought so far. */
  reconciliationId?: string
}

/** What a reconciliation came to. */
export interface ReconciliationResult {
  status: 'completed' | 'failed'
  /** Whom we know, compared. */
  customers: number
  /** Of them, those of whom Stripe had something else than we have seen. */
  differences: number
  /** Who pays for something, and we do not know. */
  unknownCustomers: number
}

/** Beside the facts that differ: there is a customer whom we do not know, or one of whom Stripe says nothing that we understand. */
export type DifferenceWord = 'unknown_customer' | 'unreadable'
