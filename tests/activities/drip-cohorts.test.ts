import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, expect, test } from 'vitest'
import { createDripActivities } from '../../activities/drips.ts'
import type { Step } from '../../workflows/contracts/sequences.ts'
import { aMessage, type DripRows, dripRows } from '../support/drip-rows.ts'
import { testOrganisation } from '../support/organisation.ts'
import { resendOn } from '../support/resend.ts'
import { startTestSandbox } from '../support/sandbox.ts'

const { database, organisationId } = await testOrganisation()
const sandbox = await startTestSandbox()
afterAll(() => sandbox.close())

const quantumMs = 60_000
const seatsPerBatch = 500
const atOnce = 8

/** The same for everyone of the same number: windows open at different times, two over a day that is short by an hour. */
const zones = ['UTC', 'America/Chicago', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Auckland']
const steps: Step[] = [
  aMessage('first'),
  { key: 'pause', type: 'wait', for: 'PT7H13M' },
  aMessage('second'),
  { key: 'morning', type: 'wait', until: { weekdays: [1, 7], at: '09:30' } },
  aMessage('third'),
]
const enteredAt = new Date('2026-03-06T23:10:00Z')

/** Plays the cohorts' stories against a clock that jumps from wake-up to wake-up; returns when each message was claimed. */
async function play(rows: DripRows): Promise<Map<string, number>> {
  let now = enteredAt
  const { advance } = createDripActivities({
    database,
    email: resendOn(sandbox),
    clock: () => now,
    drips: { quantumMs, lookUpAfterMs: 0, publicUrl: 'https://throughline.test' },
    logUnexpected: (error) => process.stderr.write(`${String(error)}\n`),
  })
  const due = new Map(rows.people.map((person) => [person.enrolmentId, { person, at: enteredAt.getTime() }]))
  while (due.size > 0) {
    now = new Date(Math.min(...[...due.values()].map(({ at }) => at)))
    const awake = [...due.values()].filter(({ at }) => at <= now.getTime()).map(({ person }) => person)
    const byCohort = [...Map.groupBy(awake, ({ cohortId }) => cohortId)]
    const turns = byCohort.flatMap(([cohortId, people]) => batchesOf(people).map((batch) => ({ cohortId, batch })))
    const waiting = turns.values()
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (const turn of waiting) await take(turn)
      }),
    )
  }
  const claims = await database.as(
    organisationId,
    (tx) =>
      tx<{ enrolmentId: string; stepKey: string; claimedAt: Date }[]>`
      select enrolment_id, step_key, claimed_at from messages where sequence_id = ${rows.sequenceId} and status = 'sent'`,
  )
  const numbers = new Map(rows.people.map(({ enrolmentId }, index) => [enrolmentId, index]))
  return new Map(
    claims.map(({ enrolmentId, stepKey, claimedAt }) => [
      `${numbers.get(enrolmentId)} ${stepKey}`,
      claimedAt.getTime(),
    ]),
  )

  async function take({ cohortId, batch }: { cohortId: string; batch: DripRows['people'] }): Promise<void> {
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    const seats = batch.map(({ seat }) => seat)
    const { sequenceId } = rows
    const { outcomes }: Awaited<ReturnType<typeof advance>> = await environment.run(advance, {
      organisationId,
      sequenceId,
      cohortId,
      seats,
      now: now.getTime(),
    })
    for (const outcome of outcomes) {
      const person = batch.find(({ seat }) => seat === outcome.seat)
      if (person === undefined) throw new Error('nobody asked for this seat')
      if (outcome.now === 'due' && outcome.dueAt !== undefined)
        due.set(person.enrolmentId, { person, at: outcome.dueAt })
      else due.delete(person.enrolmentId)
    }
  }
}

function batchesOf<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / seatsPerBatch) }, (_, index) =>
    all.slice(index * seatsPerBatch, (index + 1) * seatsPerBatch),
  )
}

test('a cohort of 500 and 500 cohorts of one send the same at the same times', { timeout: 120_000 }, async () => {
  const wanted = { steps, people: 500, enteredAt, timeZone: (index: number) => zones[index % zones.length] ?? 'UTC' }
  const together = await play(await dripRows(database, organisationId, wanted))
  const alone = await play(await dripRows(database, organisationId, { ...wanted, eachAlone: true }))
  expect(together.size).toBe(1_500)
  expect(Object.fromEntries(alone)).toEqual(Object.fromEntries(together))
  expect(new Set(together.values()).size).toBeGreaterThan(zones.length)
})
