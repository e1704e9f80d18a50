import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterEach, beforeEach } from 'vitest'
import type { NoticeAct } from '../../activities/billing/notice-words.ts'
import { createBillingNotices, type NoticeSettings } from '../../activities/billing/notices.ts'
import { platformContactFor } from '../../db/notices.ts'
import { createOrganisation, platformOrganisationId } from '../../db/organisations.ts'
import type { BillingFacts, ShownBilling } from '../../workflows/contracts/subscriptions.ts'
import { failedInvoice, nothing, oldCard, subscription } from './billing-situations.ts'
import { testOrganisation } from './organisation.ts'
import { resendOn } from './resend.ts'
import { startTestSandbox, type TestSandbox } from './sandbox.ts'
import { senderRow } from './sender-rows.ts'

export const someFacts: BillingFacts = {
  ...nothing,
  card: oldCard,
  subscriptions: [subscription({ trialEndsAt: Date.parse('2026-07-01T20:00:00Z'), status: 'trialing' })],
  openInvoices: [failedInvoice()],
}

export const someShown: ShownBilling = {
  card: { brand: 'Visa', last4: '4242', expiresAt: Date.parse('2026-08-01T00:00:00Z') },
  openInvoices: [
    {
      id: 'in_1',
      number: 'TL-0001',
      due: { amount: 9_900, currency: 'USD' },
      dueAt: null,
      payUrl: 'https://invoice.stripe.test/in_1',
    },
  ],
  disputes: [
    {
      id: 'dp_1',
      amount: { amount: 9_900, currency: 'JPY' },
      status: 'needs_response',
      evidenceDueAt: Date.parse('2026-06-15T23:30:00Z'),
    },
  ],
  subscriptions: [
    { id: 'sub_1', prices: [{ priceId: 'price_1', quantity: 2, amount: { amount: 9_950, currency: 'USD' } }] },
  ],
}

type Changes = Parameters<typeof resendOn>[1] & Partial<NoticeSettings> & { lookUpAfterMs?: number }

/** The notices of one billed organisation, against a clock that the test moves. Call it at the top of the file. */
export async function billingNotices() {
  const { database, system } = await testOrganisation()
  const platformId = await platformOrganisationId(system)
  let sandbox: TestSandbox | undefined
  let now = new Date('2026-06-02T10:00:00Z')
  let billed = { organisationId: '', contactId: '', email: '' }
  const asPlatform = <T>(work: Parameters<typeof database.as<T>>[1]) => database.as(platformId, work)
  beforeEach(async () => {
    now = new Date('2026-06-02T10:00:00Z')
    sandbox = await startTestSandbox()
    await asPlatform((tx) => tx`update senders set channel = 'voice'`)
    await senderRow(database, platformId, { address: 'billing@throughline.test' })
    billed = await billedOrganisation()
  })
  afterEach(() => sandbox?.close())
  const theSandbox = () => {
    if (sandbox === undefined) throw new Error('no test is running')
    return sandbox
  }

  return {
    database,
    platformId,
    asPlatform,
    sandbox: theSandbox,
    billed: () => billed,
    now: () => now,
    /** Moves the clock on. */
    later: (ms: number) => void (now = new Date(now.getTime() + ms)),
    aNotice,
    send: (act: NoticeAct, changes: Changes = {}) => run(changes, ({ sendNotice }) => sendNotice({ ...asked(), act })),
    followUp: (changes: Changes = {}) => run(changes, ({ followUpNotices }) => followUpNotices(asked())),
    messages: () => theSandbox().messages('resend'),
    rowOf: async ({ key }: NoticeAct) =>
      (
        await asPlatform(
          (tx) => tx`select status, reason, purpose, contact_id, rendered from messages where act_key = ${key}`,
        )
      )[0],
  }

  function asked() {
    return { organisationId: billed.organisationId, now: now.getTime() }
  }

  function run<T>(
    { lookUpAfterMs = 0, portalUrl, operatorEmail, ...resend }: Changes,
    work: (activities: ReturnType<typeof createBillingNotices>) => Promise<T>,
  ): Promise<T> {
    const activities = createBillingNotices({
      database,
      system,
      email: resendOn(theSandbox(), resend),
      clock: () => now,
      notices: { portalUrl, operatorEmail },
      lookUpAfterMs,
    })
    return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(() => work(activities))
  }

  /** A notice of a kind to the billed organisation, under a key of its own. */
  function aNotice(
    more: Partial<Pick<Extract<NoticeAct, { is: 'notice' }>, 'notice' | 'about' | 'step' | 'isLast'>> = {},
  ) {
    const key = `billing/${billed.organisationId}/dunning/in_1/${crypto.randomUUID()}`
    return { is: 'notice', notice: 'payment_failed', about: 'in_1', step: 1, isLast: false, ...more, key } as const
  }

  async function billedOrganisation() {
    const { id: organisationId } = await createOrganisation(system, 'Maple Dental', 'US')
    await system`update organisations set time_zone = 'Asia/Tokyo' where id = ${organisationId}`
    const email = `billing-${crypto.randomUUID().slice(0, 8)}@maple-dental.test`
    const who = { organisationId, name: 'Maple Dental', email }
    const contactId = await asPlatform((tx) => platformContactFor(tx, who, { platformId, now }))
    await database.as(organisationId, async (tx) => {
      await tx`insert into stripe_customers (stripe_id, contact_id, created_at) values (${`cus_${organisationId}`}, ${contactId}, ${now})`
      await tx`
        insert into billing_states (facts, shown, access, is_frozen, timers, seen_at)
        values (${JSON.stringify(someFacts)}::text::jsonb, ${JSON.stringify(someShown)}::text::jsonb, 'full', false, '[]', ${now})`
    })
    return { organisationId, contactId, email }
  }
}
