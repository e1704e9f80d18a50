import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { inbox } from './drip-audience.ts'
import { type DripBench, type DripRun, runDrip } from './throughline-drip.ts'

/** What the bench signs with in the provider's place. */
export const webhookSecret = `whsec_${Buffer.from('the bench signs in its place').toString('base64')}`

const replies = 200
/** Between two of them: people answer while messages go out. */
const everyMs = 30
const pollMs = 5

export interface ExitRun extends DripRun {
  /** For each reply, from posting the provider's webhook until the journey's row, read by us, says that it has ended. */
  exitMs: number[]
}

/** Everybody is on their way, and every few milliseconds somebody answers who has not come to the end yet. */
export async function runWithReplies(bench: DripBench, run: string, people: readonly string[]): Promise<ExitRun> {
  const { system, audience, stub } = bench
  const exitMs: number[] = []
  const drip = await runDrip(bench, { run, people }, async (sequenceId) => {
    while ((await stub.counts(run)).deliveries < people.length / 10) await sleep(pollMs)
    const writers = await audience.database.as(
      system.organisationId,
      (tx) => tx<{ id: string; email: string }[]>`
        select enrolments.id, email from enrolments join contacts on contacts.id = contact_id
        where sequence_id = ${sequenceId} and status = 'active' order by enrolments.id desc limit ${replies}`,
    )
    await Promise.all(
      writers.map(async (writer, index) => {
        await sleep(index * everyMs)
        const took = await reply(bench, writer)
        if (took !== null) exitMs.push(took)
      }),
    )
  })
  if (exitMs.length < replies / 2) throw new Error(`only ${exitMs.length} replies met somebody on their way`)
  return { ...drip, exitMs }
}

/** Null when the journey was over before. */
async function reply(
  { system, audience }: DripBench,
  { id, email }: { id: string; email: string },
): Promise<number | null> {
  const now = new Date()
  const emailId = crypto.randomUUID()
  const body = JSON.stringify({
    type: 'email.received',
    created_at: now.toISOString(),
    data: { email_id: emailId, from: email, to: [inbox], subject: 'Re: a question' },
  })
  const headers = {
    'content-type': 'application/json',
    'svix-id': `msg_${emailId}`,
    'svix-timestamp': String(Math.floor(now.getTime() / 1000)),
    'svix-signature': new Webhook(webhookSecret).sign(`msg_${emailId}`, now, body),
  }
  const begun = performance.now()
  const url = `http://127.0.0.1:${system.config.api.port}/webhooks/resend`
  const answer = await fetch(url, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`the webhook was answered ${answer.status}`)
  // What an answer says is committed: one look, which is counted, too.
  const [row] = await audience.database.as(
    system.organisationId,
    (tx) => tx<{ status: string }[]>`select status from enrolments where id = ${id}`,
  )
  if (row?.status === 'completed') return null
  if (row?.status !== 'exited') throw new Error('a reply did not end its journey')
  return performance.now() - begun
}
