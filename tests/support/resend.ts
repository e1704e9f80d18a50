import { randomUUID } from 'node:crypto'
import { idTags, type RenderedEmail } from '../../activities/ports.ts'
import { createResend } from '../../providers/resend/client.ts'
import type { TestSandbox } from './sandbox.ts'

export const webhookSecret = `whsec_${Buffer.from('the secret of this test endpoint').toString('base64')}`

export const neverAborted = new AbortController().signal

export function resendOn(sandbox: TestSandbox, changes: Partial<Parameters<typeof createResend>[0]> = {}) {
  return createResend({ apiKey: 'test', baseUrl: sandbox.urls.resend, timeoutMs: 5_000, ...changes })
}

/** An e-mail as it leaves for a person, each with ids of its own. */
export function anEmail(changes: Partial<RenderedEmail> = {}): RenderedEmail {
  return {
    from: 'Maple Dental <hello@maple-dental.test>',
    to: 'ann@example.com',
    replyTo: 'replies@maple-dental.test',
    subject: 'Your check-up',
    html: '<p>It is time.</p>',
    text: 'It is time.',
    headers: { 'List-Unsubscribe': '<https://example.com/u/1>', 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
    tags: { [idTags.organisation]: randomUUID(), [idTags.message]: randomUUID() },
    ...changes,
  }
}
