import { setCurrentDetails } from '@temporalio/workflow'
import type { CohortMoves, CohortState, Seat } from '../contracts/drip-sequence.ts'

export interface CohortView {
  /** Adds what a turn has changed. */
  count(moves: Partial<CohortMoves> | undefined): void
  show(state: CohortState, closesAt: number): void
  /** Everything that was counted. */
  moves(): CohortMoves
}

/** What operators see of a cohort in the Temporal Web UI. */
export function cohortView(carried?: CohortMoves): CohortView {
  const entered = createTally(carried?.entered)
  const sent = createTally(carried?.sent)
  const notSent = createTally(carried?.notSent)
  const ended = createTally(carried?.ended)
  return {
    count(moves) {
      entered.add(moves?.entered)
      sent.add(moves?.sent)
      notSent.add(moves?.notSent)
      ended.add(moves?.ended)
    },
    show(state, closesAt) {
      const counted = [funnel(entered, sent), listed('Not sent, or not yet', notSent), listed('Ended', ended)]
      const paragraphs = [
        heading(state),
        ...counted,
        entrance(state, closesAt),
        ...(state.held > 0 ? [helpForHeld] : []),
      ]
      setCurrentDetails(paragraphs.filter((paragraph) => paragraph !== '').join('\n\n'))
    },
    moves: () => ({
      entered: entered.counts(),
      sent: sent.counts(),
      notSent: notSent.counts(),
      ended: ended.counts(),
    }),
  }
}

/** As operators read times: to the second, UTC. */
export function timeInUtc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** Whom a batch is about, without naming anybody. */
export function seatRange(seats: readonly Seat[]): string {
  const [first, last] = [Math.min(...seats), Math.max(...seats)]
  if (first === last) return `seat ${first}`
  return last - first + 1 === seats.length ? `seats ${first}-${last}` : `${seats.length} of seats ${first}-${last}`
}

function heading({ admitted, underWay, atTurn, held, ended, nextDueAt }: CohortState): string {
  const next = nextDueAt === null ? 'nobody is due by a time' : `next due ${timeInUtc(nextDueAt)}`
  const turn = atTurn > 0 ? `${atTurn} at their turn right now, ` : ''
  return `**${underWay} under way, ${held} held, ${ended} ended** of ${admitted}: ${turn}${next}`
}

function funnel(entered: Tally, sent: Tally): string {
  const steps = [...new Set([...entered.keys(), ...sent.keys()])]
  if (steps.length === 0) return ''
  const rows = steps.map((step) => `| ${step} | ${entered.of(step)} | ${sent.of(step)} |`)
  return ['| step | entered | sent |', '| --- | --- | --- |', ...rows].join('\n')
}

function listed(what: string, tally: Tally): string {
  const reasons = tally.keys().map((reason) => `${reason} ${tally.of(reason)}`)
  return reasons.length === 0 ? '' : `${what}: ${reasons.join(', ')}.`
}

function entrance({ isClosed }: CohortState, closesAt: number): string {
  return isClosed ? 'Nobody enters any more.' : `People enter until ${timeInUtc(closesAt)}, or until it is full.`
}

const helpForHeld =
  'Who is held waits for a person: mend what the enrolment names as its reason, then resume it; or send the signal `lookAgain`.'

type Tally = ReturnType<typeof createTally>

/** Counts by names that others have chosen, in the order in which they first came. */
function createTally(carried?: Record<string, number>) {
  const counts = new Map<string, number>()
  const add = (more: Record<string, number> | undefined) => {
    for (const [name, count] of Object.entries(more ?? {})) {
      if (Number.isSafeInteger(count)) counts.set(name, (counts.get(name) ?? 0) + count)
    }
  }
  add(carried)
  return {
    add,
    keys: () => [...counts.keys()],
    of: (name: string) => counts.get(name) ?? 0,
    counts: () => Object.fromEntries(counts),
  }
}
