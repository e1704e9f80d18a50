import { expect, test } from 'vitest'
import { textOf } from '../../../activities/billing/notice-texts.ts'
import { type NoticeAct, wordsFor } from '../../../activities/billing/notice-words.ts'
import type { NoticeGround } from '../../../db/notice-ground.ts'
import { type CustomerNotice, customerNotices } from '../../../workflows/contracts/subscriptions.ts'
import { renderNotice } from '../../../workflows/rules/rendering.ts'
import { someFacts, someShown } from '../../support/billing-notices.ts'

const ground: NoticeGround = {
  name: 'Maple Dental',
  timeZone: 'Asia/Tokyo',
  contactId: null,
  billing: { facts: someFacts, shown: someShown },
  planNames: new Map([['scout', 'Scout']]),
  balances: new Map([['call_seconds', 1_234]]),
}
const unseen: NoticeGround = { ...ground, billing: null, planNames: new Map(), balances: new Map() }
const portal = 'https://app.example.com/billing'

const aboutOf = {
  trial_ending: 'sub_1',
  trial_ended: 'sub_1',
  renewal: 'sub_1',
  card_expiring: 'pm_1',
  payment_failed: 'in_1',
  access_reduced: 'sub_1',
  access_revoked: 'sub_1',
  credits_low: 'call_seconds',
  credits_exhausted: 'call_seconds',
  top_up_failed: 'call_seconds',
} as const satisfies Record<CustomerNotice, string>

const noticeOf = (notice: CustomerNotice, step = 1, isLast = false): NoticeAct => ({
  is: 'notice',
  notice,
  about: aboutOf[notice],
  step,
  isLast,
  key: `${notice}/${step}`,
})
const acts: NoticeAct[] = [
  ...(['dispute_opened', 'dispute_due'] as const).map(
    (notice) => ({ is: 'tell_operator', notice, about: 'dp_1', step: 1, isLast: true, key: notice }) as const,
  ),
  ...customerNotices.flatMap((notice) => [noticeOf(notice), noticeOf(notice, 2, true)]),
]

function written(act: NoticeAct, of = ground, portalUrl: string | null = portal) {
  const content = renderNotice(textOf(act.notice), { ...wordsFor(act, of, portalUrl), sender: 'Throughline' })
  if (!content.ok) throw new Error(content.detail)
  return content.email
}
test.each(acts)('$key is written, with everything known and with nothing', (act) => {
  for (const of of [ground, unseen]) {
    for (const portalUrl of [portal, null]) {
      const { subject, text } = written(act, of, portalUrl)
      expect(subject).not.toBe('')
      expect(text).not.toMatch(/undefined|null|NaN|\{|\}| {2}/)
      if (act.is === 'notice') expect(text).toContain(portalUrl ?? 'answer this e-mail')
    }
  }
})

test('dates are those of the organisation, amounts have their currency', () => {
  expect(written(noticeOf('trial_ending'))).toMatchObject({
    subject: 'Your trial of Scout ends on July 2, 2026',
    text: expect.stringContaining('From then on Scout is USD 199.00 a month.'),
  })
  expect(written(noticeOf('card_expiring')).text).toContain(
    'The card Visa ending in 4242 that pays for Scout expires at the end of July 2026',
  )
  expect(written(noticeOf('credits_low', 20))).toMatchObject({
    subject: 'You have 1,234 call seconds left',
    text: expect.stringContaining('20 % or less are left: 1,234.'),
  })
})
