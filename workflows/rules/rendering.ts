import type { Purpose, RenderedEmail } from '../contracts/sending.ts'
import type { MessageStep } from '../contracts/sequences.ts'
import { escapeHtml } from './template-engine.ts'
import {
  known,
  type RenderBudget,
  type Rendered,
  renderTemplate,
  type TemplateContact,
  type TemplateData,
} from './templates.ts'

/** From whom an e-mail goes out, as its templates and its foot name them. */
export interface EmailSender {
  name: string
  address: string
  replyTo: string | null
  /** What the law wants at the foot of marketing. */
  postalAddress: string | null
}

export type RenderedStep =
  | { ok: true; email: Pick<RenderedEmail, 'subject' | 'html' | 'text'> }
  /** `missing`: the variables that are not known of the person; none where something else is wrong. `detail` says all, and where. */
  | {
      ok: false
      missing: string[]
      detail: string
      /** Nobody knows whether it can be rendered: the budget came to its end. With a fresh one it is judged. */
      isOutOfBudget: boolean
    }

/**
 * The e-mail of a step for one person: subject, text, and HTML, which is made of the text where the step has none. Marketing ends with the sender's postal
 * address and the unsubscribe link in both parts, where the templates do not show them. A caller with many of them hands each the same `budget`.
 */
export function renderEmail(
  step: Pick<MessageStep, 'subject' | 'text' | 'html'>,
  sender: EmailSender,
  { contact, unsubscribeUrl }: { contact: TemplateContact; unsubscribeUrl: string },
  purpose: Purpose,
  budget?: RenderBudget,
): RenderedStep {
  const { name, address, postalAddress } = sender
  const { email, phone, externalId, language, properties } = contact
  const data = known({
    contact: { email, phone, externalId, language, properties },
    sender: { name, address, postalAddress },
    unsubscribeUrl,
  } satisfies TemplateData)
  const subject = renderTemplate(step.subject, 'none', data, budget)
  const text = renderTemplate(step.text, 'none', data, budget)
  const html = step.html === undefined ? null : renderTemplate(step.html, 'html', data, budget)
  if (!subject.ok || !text.ok || html?.ok === false) return refusal({ subject, text, html })

  const line = oneLine(subject.text)
  if (line === '') return { ok: false, missing: [], detail: 'The subject is empty.', isOutOfBudget: false }
  const foot = purpose === 'marketing' ? { postalAddress, unsubscribeUrl } : null
  const wholeText = foot ? withTextFoot(text.text, foot) : text.text
  return {
    ok: true,
    email: {
      subject: line,
      text: wholeText,
      html: html === null ? htmlOf(wholeText) : foot ? withHtmlFoot(html.text, foot) : html.text,
    },
  }
}

/** A notice: subject and text over data of any names, and HTML made of the text. Nothing is added to it. */
export function renderNotice(parts: Pick<MessageStep, 'subject' | 'text'>, data: object): RenderedStep {
  const given = known(data)
  const subject = renderTemplate(parts.subject, 'none', given)
  const text = renderTemplate(parts.text, 'none', given)
  if (!subject.ok || !text.ok) return refusal({ subject, text })
  return { ok: true, email: { subject: oneLine(subject.text), text: text.text, html: htmlOf(text.text) } }
}

function refusal(parts: Record<string, Rendered | null>): RenderedStep {
  const faults = Object.entries(parts).flatMap(([part, rendered]) =>
    rendered?.ok === false ? rendered.faults.map((fault) => ({ part, ...fault })) : [],
  )
  const details = faults.map(({ part, line, detail }) => `${part}, line ${line}: ${detail}`)
  return {
    ok: false,
    missing: [...new Set(faults.flatMap(({ missing }) => missing ?? []))],
    detail: [...new Set(details)].join(' '),
    isOutOfBudget: Object.values(parts).some((rendered) => rendered?.ok === false && rendered.limit === 'budget'),
  }
}

/** A header is one line; whatever could begin another goes. */
function oneLine(subject: string): string {
  return subject.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
}

interface Foot {
  postalAddress: string | null
  unsubscribeUrl: string
}

function withTextFoot(text: string, { postalAddress, unsubscribeUrl }: Foot): string {
  const lines = [
    ...(postalAddress === null || text.includes(postalAddress) ? [] : [postalAddress]),
    ...(text.includes(unsubscribeUrl) ? [] : [`Unsubscribe: ${unsubscribeUrl}`]),
  ]
  return lines.length === 0 ? text : `${text.trimEnd()}\n\n-- \n${lines.join('\n')}\n`
}

function withHtmlFoot(html: string, foot: Foot): string {
  const postalAddress = foot.postalAddress === null ? null : escapeHtml(foot.postalAddress)
  const url = escapeHtml(foot.unsubscribeUrl)
  const lines = [
    ...(postalAddress === null || html.includes(postalAddress) ? [] : [postalAddress.replaceAll('\n', '<br>\n')]),
    ...(html.includes(url) ? [] : [`<a href="${url}">Unsubscribe</a>`]),
  ]
  if (lines.length === 0) return html
  const end = html.toLowerCase().lastIndexOf('</body>')
  const body = end < 0 ? html : html.slice(0, end)
  return `${body}<p>${lines.join('<br>\n')}</p>\n${html.slice(body.length)}`
}

/** Plain text as HTML: paragraphs at empty lines, links that can be followed. */
function htmlOf(text: string): string {
  const paragraphs = text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => `<p>${linked(paragraph).replaceAll('\n', '<br>\n')}</p>\n`)
  return `<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n${paragraphs.join('')}</body></html>\n`
}

/** An address of a page, without the punctuation of the sentence that it stands in. */
const link = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]])/

function linked(text: string): string {
  // Split by a group, every second piece is a link.
  return text
    .split(link)
    .map((piece, index) => {
      const escaped = escapeHtml(piece)
      return index % 2 === 1 ? `<a href="${escaped}">${escaped}</a>` : escaped
    })
    .join('')
}
