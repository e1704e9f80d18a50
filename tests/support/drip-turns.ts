import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterEach, beforeEach } from 'vitest'
import { createDripActivities } from '../../activities/drips.ts'
import type { SeatOutcome } from '../../workflows/contracts/drip-sequence.ts'
import { builtInPolicy } from '../../workflows/contracts/sending.ts'
import type { Step } from '../../workflows/contracts/sequences.ts'
import { aMessage, type DripRows, dripRows, type WantedDrip } from './drip-rows.ts'
import { testOrganisation } from './organisation.ts'
import { resendOn } from './resend.ts'
import { startTestSandbox, type TestSandbox } from './sandbox.ts'

export const allDay = { ...builtInPolicy, window: { from: '00:00', to: '00:00', outside: 'hold' } } as const
const twoMessages: Step[] = [aMessage('first'), { key: 'pause', type: 'wait', for: 'P1D' }, aMessage('second')]

type Changes = Parameters<typeof resendOn>[1] & { lookUpAfterMs?: number }

/** The turns of people on their way, taken by hand against a clock that the test moves. Call it at the top of the file. */
export async function dripTurns() {
  const organisation = await testOrganisation()
  const { database, organisationId } = organisation
  let sandbox: TestSandbox | undefined
  let now = new Date()
  beforeEach(async () => {
    now = new Date()
    sandbox = await startTestSandbox()
  })
  afterEach(() => sandbox?.close())

  const as = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(organisationId, work)
  const theSandbox = () => {
    if (sandbox === undefined) throw new Error('no test is running')
    return sandbox
  }

  return {
    ...organisation,
    as,
    sandbox: theSandbox,
    now: () => now,
    /** Moves the clock on, and tells the time. */
    later: (ms: number) => (now = new Date(now.getTime() + ms)),
    setClock: (to: Date) => void (now = to),
    drip: (wanted: Partial<WantedDrip> = {}): Promise<DripRows> =>
      dripRows(database, organisationId, { steps: twoMessages, policy: allDay, enteredAt: now, ...wanted }),
    activities,
    advance,
    /** To whom e-mails were taken, each as often as that. */
    taken: async () => (await theSandbox().messages('resend')).flatMap(({ to }) => to),
    statusesOf: async ({ sequenceId }: DripRows) =>
      (
        await as(
          (tx) => tx<{ status: string }[]>`select status from messages where sequence_id = ${sequenceId} order by id`,
        )
      ).map(({ status }) => status),
  }

  function activities({ lookUpAfterMs = 0, ...resend }: Changes = {}, clock = () => now) {
    return createDripActivities({
      database,
      email: resendOn(theSandbox(), resend),
      clock,
      drips: { quantumMs: 1_000, lookUpAfterMs, publicUrl: 'https://throughline.test' },
      logUnexpected: (error) => process.stderr.write(`${String(error)}\n`),
    })
  }

  /** One attempt at the turns of these seats; outcomes by seat. */
  async function advance(
    rows: DripRows,
    seats = rows.people.map(({ seat }) => seat),
    changes: Changes = {},
    clock = () => now,
  ) {
    const run = activities(changes, clock).advance
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    const { sequenceId, cohortId } = rows
    const batch = { organisationId, sequenceId, cohortId, seats, now: clock().getTime() }
    const { outcomes, moves }: Awaited<ReturnType<typeof run>> = await environment.run(run, batch)
    return { outcomes: outcomes.toSorted((one, other) => one.seat - other.seat), moves }
  }
}

export function seatsOf(outcomes: readonly SeatOutcome[], state: SeatOutcome['now']): number[] {
  return outcomes.filter((outcome) => outcome.now === state).map(({ seat }) => seat)
}
