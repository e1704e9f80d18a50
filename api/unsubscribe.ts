import { type Response, Router } from 'express'
import type { Sql } from 'postgres'
import type { Database } from '../db/client.ts'
import { type AddressedMessage, findAddressedMessage } from '../db/message-routing.ts'
import { suppressRecipient } from '../db/suppressing.ts'
import { messageIdOf } from '../workflows/contracts/unsubscribe.ts'
import type { Handover } from './handover.ts'
import { methodNotAllowed } from './mount.ts'
import { requestIdOf } from './requests.ts'

/**
 * Where people opt out of marketing by the link of a message (RFC 8058). GET only asks, since mail programs and scanners open every link; POST
 * does it, by a mail program's button or the page's own, as often as it is sent, for the address that the message went to and the one that the
 * person has by now. Its body is not read: no opt-out is refused for its form.
 */
export function unsubscribeRoutes({
  database,
  system,
  handover,
  clock,
}: {
  database: Database
  system: Sql
  handover: Pick<Handover, 'begin'>
  clock: () => Date
}): Router {
  const router = Router({ caseSensitive: true, strict: true })
  router
    .route('/u/:token')
    .get(async (request, response) => {
      const message = await linkedMessage(request.params.token)
      if (message === null) answer(response, 404, unknownPage)
      else answer(response, 200, askingPage)
    })
    .post(async (request, response) => {
      const message = await linkedMessage(request.params.token)
      if (message === null) {
        answer(response, 404, unknownPage)
        return
      }
      const { id, organisationId, contactId, addressHash } = message
      const now = clock()
      const sourceKey = `unsubscribe/${id}`
      const optOut = { channel: 'email', purpose: 'marketing', reason: 'unsubscribed', actor: sourceKey } as const
      const workflowIds = await database.as(organisationId, (tx) =>
        suppressRecipient(
          tx,
          { ...optOut, organisationId, addressHash, contactId, sourceKey, occurredAt: now },
          { requestId: requestIdOf(request), now },
        ),
      )
      answer(response, 200, donePage)
      for (const workflowId of workflowIds) handover.begin(workflowId)
    })
    .all(methodNotAllowed('GET, POST'))
  return router

  /** Notices have no such link, and what was sent to nobody can be unsubscribed by nobody. */
  async function linkedMessage(token: string): Promise<AddressedMessage | null> {
    const id = messageIdOf(token)
    const message = id === null ? null : await findAddressedMessage(system, id)
    return message?.purpose === 'marketing' && message.channel === 'email' ? message : null
  }
}

function answer(response: Response, status: 200 | 404, page: string): void {
  response.status(status).set({
    'content-security-policy': "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'x-robots-tag': 'noindex',
  })
  response.type('html').send(page)
}

function pageOf(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`
}

const askingPage = pageOf(
  'Unsubscribe',
  `<p>Do you want to get no more of these e-mails?</p>
<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe</button>
</form>`,
)

const donePage = pageOf('You are unsubscribed', '<p>You get no more of these e-mails.</p>')

const unknownPage = pageOf('There is nothing here', '<p>This link leads nowhere. Was it copied whole?</p>')
