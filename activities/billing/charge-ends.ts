import type { ActEnd } from '../../db/billing-acts.ts'
import type { Charged } from '../ports.ts'

/** How an act ends by what became of its charge: what was paid meanwhile needs none any more. */
export function chargeEnd(charged: Charged): ActEnd {
  if (charged.is === 'paid') return { status: 'done', outcome: null }
  return charged.is === 'declined'
    ? { status: 'failed', outcome: charged.code }
    : { status: 'done', outcome: 'not_open' }
}
