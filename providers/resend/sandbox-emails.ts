import { z } from 'zod'

const mostRecipients = 50
/** With or without a name before it, which may be quoted. */
const mailbox = /^(?:(?:[^<>"]*|"(?:[^"\\]|\\.)*" *)<)?[^\s<>@,]+@[^\s<>@,]+\.[^\s<>@,.]+>?$/
const tagText = /^[\w-]{1,256}$/

/** In Resend's words; the first one wrong is the one that is told. */
const texts = {
  address: (field: string) =>
    `Invalid \`${field}\` field. The email address needs to follow the \`email@example.com\` or \`Name <email@example.com>\` format.`,
  missing: (field: string) => `Missing \`${field}\` field.`,
  content: 'Missing `html` or `text` field.',
  tag: 'Tags should only contain ASCII letters, numbers, underscores, or dashes.',
}

const required = (field: string) => ({
  error: ({ input }: { input?: unknown }) => (input === undefined ? texts.missing(field) : texts.address(field)),
})
const address = (field: string) => z.string(required(field)).regex(mailbox, texts.address(field))
const addresses = (field: string) =>
  z
    .union([z.string(), z.array(z.string())], required(field))
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .pipe(
      z.array(address(field)).max(mostRecipients, `The \`${field}\` field takes at most ${mostRecipients} addresses.`),
    )
const tagPart = z.string(texts.tag).regex(tagText, texts.tag)

export const SandboxEmail = z
  .object({
    from: address('from'),
    to: addresses('to').refine(({ length }) => length > 0, texts.missing('to')),
    subject: z.string(required('subject')),
    html: z.string().optional(),
    text: z.string().optional(),
    cc: addresses('cc').default([]),
    bcc: addresses('bcc').default([]),
    reply_to: addresses('reply_to').default([]),
    headers: z.record(z.string(), z.string()).default({}),
    tags: z.array(z.object({ name: tagPart, value: tagPart })).default([]),
  })
  .refine(({ html, text }) => Boolean(html ?? text), texts.content)
export type SandboxEmail = z.infer<typeof SandboxEmail>

interface Refusal {
  name: string
  message: string
}

/** What was sent, or why Resend would not take it. */
export function readEmail(given: unknown): { email: SandboxEmail } | { refusal: Refusal } {
  const { data, error } = SandboxEmail.safeParse(given)
  if (data) return { email: data }
  const message = error.issues[0]?.message ?? ''
  return { refusal: { name: message.startsWith('Missing') ? 'missing_required_field' : 'validation_error', message } }
}
