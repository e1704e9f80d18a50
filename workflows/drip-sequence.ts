import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { DripActivities } from '../activities/drips.ts'
import { businessStatusKey } from '../temporal-config/search-attributes.ts'
import {
  type CarriedCohort,
  type CohortState,
  cohortState,
  type DripResult,
  type DripSequenceInput,
  lookAgain,
  seatsTaken,
} from './contracts/drip-sequence.ts'
import { cohortSize } from './contracts/sequences.ts'
import { databaseStep } from './parts/activity-options.ts'
import { createAgenda } from './parts/agenda.ts'
import { cohortView, timeInUtc } from './parts/cohort-view.ts'
import { unlessFailed } from './parts/problems.ts'
import { createRoster } from './parts/roster.ts'
import { createTurns } from './parts/turns.ts'

const { closeCohort, countSeats } = proxyActivities<DripActivities>(databaseStep)

/** How long people may enter, and how long a run lasts at most, so that old code runs out. */
const dayMs = 86_400_000
/** A run ends long before Temporal's limits. */
const eventsPerRun = 2_000

/**
 * Carries up to 500 people through a sequence, each at their own pace. Where somebody stands lies in rows: the story knows when each is
 * next due, and has everyone who is due at the same time looked at together.
 */
export async function dripSequence(input: DripSequenceInput): Promise<DripResult> {
  const { carried, ...cohort } = input
  const { startTime, runStartTime } = workflowInfo()
  const closesAt = carried?.closesAt ?? startTime.getTime() + dayMs
  const runEndsAt = runStartTime.getTime() + dayMs
  const roster = createRoster(carried)
  const view = cohortView(carried?.moves)
  const agenda = createAgenda(stir)
  const turns = createTurns(cohort, { roster, view, onEnd: stir })
  let isClosed = carried?.isClosed ?? false
  let isStirred = false
  bindMessages()

  try {
    if (!carried) {
      showStatus('running')
      void lookAround()
    }
    for (;;) {
      if (isOver() || runIsLong()) break
      turns.begin()
      view.show(state(), closesAt)
      if (!isClosed && isFullOrOld()) await close()
      else await untilStirred()
    }
    // Nobody's turn begins from here on, or it would be under way in two runs.
    await condition(() => turns.out() === 0 && allHandlersFinished())
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(letGo)
    throw error
  }
  view.show(state(), closesAt)
  if (!isOver()) return continueAsNew<typeof dripSequence>({ ...input, carried: carry() })
  showStatus('completed')
  return { enrolled: roster.counts().admitted }

  function bindMessages(): void {
    setHandler(cohortState, state, { description: 'How many are under way, held and ended, and when the next is due' })
    // What somebody sends from the Web UI may lack its argument: it must not stop the story.
    setHandler(
      seatsTaken,
      (taken) => {
        roster.admit(taken?.upTo, Date.now())
        stir()
      },
      { description: 'People have taken the seats up to this one.' },
    )
    setHandler(
      lookAgain,
      (whom) => {
        roster.lookAgain(Date.now(), whom?.seats)
        stir()
      },
      { description: 'Look at the people on these seats at once, held ones too; without seats, at everyone.' },
    )
  }

  /** Who sits there already: the story may have been begun again long after its first people came. */
  async function lookAround(): Promise<void> {
    try {
      const there = await unlessFailed(countSeats(cohort))
      roster.admit(there?.size, Date.now())
      isClosed ||= there?.isClosed === true
      stir()
    } catch (error) {
      if (!isCancellation(error)) throw error // a story that was cancelled says so itself
    }
  }

  async function close(): Promise<void> {
    const closed = await unlessFailed(closeCohort({ ...cohort, now: Date.now() }))
    roster.admit(closed?.size, Date.now())
    isClosed = true
  }

  /** The workflow was cancelled: nobody will carry these people on, and people must be able to see that. */
  async function letGo(): Promise<void> {
    await condition(() => turns.out() === 0)
    await close()
    await turns.hold(roster.present(), 'workflow_cancelled')
    view.show(state(), closesAt)
    showStatus('cancelled')
  }

  async function untilStirred(): Promise<void> {
    armForNext()
    await condition(() => isStirred)
    isStirred = false
  }

  function armForNext(): void {
    const choresAt = isClosed ? runEndsAt : Math.min(closesAt, runEndsAt)
    const dueAt = roster.nextDueAt()
    if (dueAt < choresAt) {
      if (dueAt > Date.now()) agenda.wakeBy(dueAt, `next person due ${timeInUtc(dueAt)}`)
    } else if (turns.out() === 0) {
      // While batches are out, what comes back wakes the story, and would mostly replace this timer.
      agenda.wakeBy(choresAt, isClosed ? 'continue in a new run' : 'close the cohort')
    }
  }

  function stir(): void {
    isStirred = true
  }

  function isFullOrOld(): boolean {
    return roster.counts().admitted >= cohortSize || Date.now() >= closesAt
  }

  /** Who is held keeps the cohort open. */
  function isOver(): boolean {
    const { underWay, held } = roster.counts()
    return isClosed && underWay + held === 0
  }

  function runIsLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo()
    return continueAsNewSuggested || historyLength > eventsPerRun || Date.now() >= runEndsAt
  }

  function state(): CohortState {
    const dueAt = roster.nextDueAt()
    return { ...roster.counts(), isClosed, nextDueAt: Number.isFinite(dueAt) ? dueAt : null }
  }

  function carry(): CarriedCohort {
    return { ...roster.carry(), isClosed, closesAt, moves: view.moves() }
  }
}

function showStatus(status: 'running' | 'completed' | 'cancelled'): void {
  upsertSearchAttributes([{ key: businessStatusKey, value: status }])
}
