import type { SiteFailureCode } from '../workflows/contracts/detections.ts'
import type { InboundEvent } from '../workflows/contracts/inbound-events.ts'
import type { RenderedEmail } from '../workflows/contracts/sending.ts'
import type { BillingFacts, Money, ShownBilling } from '../workflows/contracts/subscriptions.ts'

export type { InboundEvent, InboundFact } from '../workflows/contracts/inbound-events.ts'
export type { RenderedEmail } from '../workflows/contracts/sending.ts'
export type {
  BillingFacts,
  Dispute,
  Money,
  OpenInvoice,
  PaidLine,
  Payment,
  Refund,
  ShownBilling,
  SubscriptionFacts,
} from '../workflows/contracts/subscriptions.ts'
export { stripeStatuses } from '../workflows/contracts/subscriptions.ts'

/** The interfaces that the outside world fills: each is implemented by one or more folders under `providers/`. */

/**
 * What became of a call that did not succeed. `retry`: nothing happened, or the call may be repeated at will. `retryAfter`: the
 * provider said when to come back. `rejected`: repeating it as it is cannot help. `unconfirmed`: it may have been accepted.
 */
type ProviderOutcome = 'retry' | 'retryAfter' | 'rejected' | 'unconfirmed'

/** Thrown by every provider client. `code` is ours and safe to show: a provider's own texts quote numbers and addresses. */
export class ProviderError extends Error {
  readonly provider: string
  readonly outcome: ProviderOutcome
  readonly code: string
  readonly retryAfterMs: number | undefined

  constructor(provider: string, outcome: ProviderOutcome, code: string, retryAfterMs?: number) {
    super(`${provider}: ${code}`)
    this.name = 'ProviderError'
    this.provider = provider
    this.outcome = outcome
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/** Whether a provider has said no: nothing was done, and asked again it says the same. */
export const isRejected = (error: unknown): error is ProviderError =>
  error instanceof ProviderError && error.outcome === 'rejected'

/** Whether nobody knows what a call has done. */
export const isUnconfirmed = (error: unknown): error is ProviderError =>
  error instanceof ProviderError && error.outcome === 'unconfirmed'

export interface SearchPageQuery {
  engine: 'google' | 'google_maps'
  query: string
  location: string
  /** ISO 3166-1 alpha-2, upper case: the country whose results are wanted. */
  country: string
  /** From 0. */
  page: number
}

/** A business as a search shows it, before anyone has looked at its website. */
export interface FoundBusiness {
  name: string
  website: string | null
  placeId: string | null
  phone: string | null
  address: string | null
  /** Shown because it pays for it. */
  isAd: boolean
}

export interface SearchPage {
  /** In the order of the page, the ads after the results. */
  businesses: FoundBusiness[]
  hasMore: boolean
}

/** Finds businesses. A page costs one search; the same page asked again within the hour is free. Throws ProviderError. */
export interface BusinessSearch {
  searchPage(query: SearchPageQuery, signal: AbortSignal): Promise<SearchPage>
}

/** Thrown by a SiteReader. `detail` carries no page content: at most a status, a size or a media type. */
export class SiteFailure extends Error {
  readonly code: SiteFailureCode
  readonly detail: string | undefined

  constructor(code: SiteFailureCode, detail?: string) {
    super(detail === undefined ? code : `${code}: ${detail}`)
    this.name = 'SiteFailure'
    this.code = code
    this.detail = detail
  }
}

export interface SitePage {
  /** Where the redirects ended. */
  url: string
  html: string
  responseMs: number
}

/** Reads websites, politely and safely. Throws SiteFailure, or the signal's reason when aborted. */
export interface SiteReader {
  /**
   * The page at a website's address, and after it those of the same site that `choose` asks for on seeing it: two at most, in the same
   * time and over the same connection. One that cannot be read, or that robots.txt keeps us from, is left out.
   */
  read(
    website: string,
    signal: AbortSignal,
    choose?: (home: SitePage) => readonly string[],
  ): Promise<[home: SitePage, ...further: SitePage[]]>
}

export interface Spreadsheet {
  id: string
  /** Where people open it. */
  url: string
}

export interface SheetColumn {
  title: string
  /** `score`: from 0 to 100, coloured by how high it is. */
  look: 'text' | 'number' | 'score'
  widthPixels: number
}

export interface SheetRow {
  /** Stands in the first column and tells rows apart. */
  key: string
  /** For the columns after the first. Texts are kept as they are: what looks like a formula is none. */
  values: (string | number | null)[]
}

export interface SheetReader {
  emailAddress: string
  role: 'reader' | 'commenter' | 'writer'
}

/**
 * Makes spreadsheets and fills them. Every call may be repeated after one without an answer, or its outcome looked up. Throws ProviderError:
 * rejected as `invalid_credentials`, `no_access`, `spreadsheet_not_found`, `sheet_rearranged`, `invalid_share_address` or `storage_full` where
 * a person has something to mend.
 */
export interface SheetExport {
  /** The spreadsheet that was created under this marker. A new one may take seconds to show. */
  findSpreadsheet(marker: string, signal: AbortSignal): Promise<Spreadsheet | null>
  /** Not to be repeated blindly: `unconfirmed` is resolved by `findSpreadsheet`. */
  createSpreadsheet(wanted: { title: string; marker: string }, signal: AbortSignal): Promise<Spreadsheet>
  /** Gives the sheet its header and looks, once; makes sure each time that it is there and still begins with the key column. */
  prepare(spreadsheetId: string, columns: readonly SheetColumn[], signal: AbortSignal): Promise<void>
  /** The keys of the rows that the sheet has. */
  readKeys(spreadsheetId: string, signal: AbortSignal): Promise<Set<string>>
  /**
   * Appends the rows all together or not at all, and once under this number, however often and late it is asked. `unconfirmed`: whether
   * they are there is told by `readKeys`.
   */
  appendRows(
    spreadsheetId: string,
    chunk: { number: number; rows: readonly SheetRow[] },
    signal: AbortSignal,
  ): Promise<void>
  /** Lets a person in, with a message from the provider; leaves alone whoever may do as much already. */
  share(spreadsheetId: string, reader: SheetReader, signal: AbortSignal): Promise<void>
}

/** What became of one message of a call. `rejected`: the provider will never take it; `code` is ours. */
export type SendOutcome = { is: 'sent'; providerMessageId: string } | { is: 'rejected'; code: string }

/** What a provider says of a message whose call got no answer. */
export type LookUp = { is: 'found'; providerMessageId: string } | { is: 'not_found' } | { is: 'not_possible' }

/** A message that is looked for. */
export interface Asked<Message> {
  message: Message
  /** When the call began that it may have gone with. */
  calledAt: Date
}

/**
 * A way to people, of one kind of message. Every provider of a channel passes the suite in tests/conformity/message-channel.ts.
 */
export interface MessageChannel<Message> {
  /** As it stands in `senders.provider`. */
  readonly provider: string
  /** As many messages as one call takes. */
  readonly mostPerCall: number
  /** How long the provider knows a key and answers the same call with the same outcome, in ms; 0: it has no keys. */
  readonly keyLifetimeMs: number
  /**
   * Hands messages over in one call and returns what became of each, in their order. Throws ProviderError: `retry` and `retryAfter` when
   * surely none was taken, `rejected` when the call as a whole never will be, `unconfirmed` when any of them may have been taken.
   * Under a key that the provider knows, the same call may be repeated and has no second effect.
   */
  send(call: { key: string; messages: readonly Message[] }, signal: AbortSignal): Promise<SendOutcome[]>
  /** Looks for messages that may have been taken, by what came with them; tells of each, in their order. Throws ProviderError. */
  lookUp(asked: readonly Asked<Message>[], signal: AbortSignal): Promise<LookUp[]>
}

export type EmailChannel = MessageChannel<RenderedEmail>

/** The tags under which our own ids travel with a message, and come back with what the provider tells of it. */
export const idTags = { organisation: 'organisation_id', message: 'message_id' } as const

/** Thrown for a webhook that the provider did not send, or sent too long ago. */
export class BadSignature extends Error {
  override name = 'BadSignature'
}

/** Verifies what came to a webhook over its raw bytes, and translates it. Throws BadSignature. */
export type WebhookReader = (
  rawBody: Buffer,
  headers: Readonly<Record<string, string | undefined>>,
  now: Date,
) => InboundEvent[]

/** Which plan of ours a price at Stripe stands for. */
export type PlanOfPrice = ReadonlyMap<string, { planKey: string }>

/** All that Stripe has of a customer at one moment. */
export interface BillingAccount {
  facts: BillingFacts
  shown: ShownBilling
  /** Of each payment every id by which Stripe may name it: intents and charges. */
  paymentIds: string[]
  /** Of the person who pays, as they have given it there. */
  email: string | null
}

/** What became of an attempt to take money. `declined`: the provider's code for it, which is safe to show. */
export type Charged = { is: 'paid' } | { is: 'declined'; code: string } | { is: 'not_open' }

export interface CheckoutWanted {
  customerId: string
  priceId: string
  quantity: number
  /** A subscription, with its trial in whole days, and what is paid by use beside it; null: paid once. */
  subscription: { trialDays: number | null; meteredPriceIds?: readonly string[] } | null
  successUrl: string
  cancelUrl: string
}

export interface PriceChange {
  subscriptionId: string
  priceId: string
  /** `with_proration`: charged at once, and not applied unless that succeeds. `without`: from the next period on. */
  money: 'with_proration' | 'without'
  /** What is paid by use beside it from then on, and from which prices that is chosen: others stay. Left out: all stay. */
  metered?: { priceIds: readonly string[]; of: readonly string[] }
}

export interface ChangePreview {
  /** To be paid now; below 0: credited. */
  dueNow: Money
  lines: { text: string; amount: Money }[]
  /** Of a whole period from then on. */
  thenEachPeriod: Money
}

export interface BillingInvoice {
  /** Of a purchase, its payment's. */
  id: string
  /** `purchase`: by a checkout of which there is no invoice. */
  kind: 'invoice' | 'purchase'
  number: string | null
  status: string
  total: Money
  /** What it was for, the first ten lines. */
  lines: string[]
  createdAt: number
  /** Of a purchase, its receipt. */
  url: string | null
}

/**
 * Takes money, and knows who has paid for what: the only source of truth of it. What changes something goes under a key, one per business act: repeated
 * under it, it has no second effect for 24 h. Throws ProviderError: `rejected` with a code of ours (`no_such_customer`, `no_such_price`,
 * `no_such_subscription`, `invalid_request`), `unconfirmed` where a failure of the provider's may be kept under the key: whoever asks looks what holds, and
 * asks again under another.
 */
export interface BillingProvider {
  createCustomer(
    who: { organisationId: string; name: string; email: string | null },
    key: string,
    signal: AbortSignal,
  ): Promise<{ customerId: string }>
  /** Null: there is no such customer any more. */
  fetchAccount(customerId: string, plans: PlanOfPrice, signal: AbortSignal): Promise<BillingAccount | null>
  /** Those of the prices that do not exist, or are not for sale. */
  unknownPrices(priceIds: readonly string[], signal: AbortSignal): Promise<string[]>
  startCheckout(
    wanted: CheckoutWanted,
    key: string,
    signal: AbortSignal,
  ): Promise<{ id: string; url: string; expiresAt: number }>
  /**
   * Closes the customer's open pages on which a subscription is bought, but for the last that was opened, so that one can be paid; however many ask at
   * once, that one stays open. True where it is `keptId`; where that is not open any more nothing is closed. One that is paid meanwhile is no error:
   * whoever asks looks at the account after.
   */
  expireCheckouts(customerId: string, keptId: string, signal: AbortSignal): Promise<boolean>
  openPortal(asked: { customerId: string; returnUrl: string }, signal: AbortSignal): Promise<{ url: string }>
  previewChange(change: PriceChange, signal: AbortSignal): Promise<ChangePreview>
  changePrice(change: PriceChange, key: string, signal: AbortSignal): Promise<Charged>
  cancel(subscriptionId: string, when: 'now' | 'period_end' | 'undo', key: string, signal: AbortSignal): Promise<void>
  /** From now on the subscription is charged by this card. */
  useCard(subscriptionId: string, cardId: string, key: string, signal: AbortSignal): Promise<void>
  /** Makes a draft one that can be paid, and that nobody collects by itself; of one that is no draft any more it does nothing. */
  finalizeInvoice(invoiceId: string, key: string, signal: AbortSignal): Promise<void>
  /** `cardId` null: with what the customer pays with. */
  payInvoice(invoiceId: string, cardId: string | null, key: string, signal: AbortSignal): Promise<Charged>
  /** Of the payment of an invoice, or of a checkout that has none; `amount` null: all that is left. */
  refund(
    asked: { paymentId: string; amount: number | null },
    key: string,
    signal: AbortSignal,
  ): Promise<{ refundId: string; amount: number; status: 'pending' | 'succeeded' | 'failed' }>
  /** An invoice of one price, paid at once with what the customer pays with; it is marked as a top-up. */
  buyNow(
    asked: { customerId: string; priceId: string; quantity: number },
    key: string,
    signal: AbortSignal,
  ): Promise<Charged>
  /** Invoices and purchases, the newest first; `after`: as the page before gave it. */
  listInvoices(
    customerId: string,
    page: { limit: number; after: string | null },
    signal: AbortSignal,
  ): Promise<{ invoices: BillingInvoice[]; after: string | null }>
  /** For a metered price; once under `identifier`, for a day at least. */
  reportUsage(
    use: { customerId: string; meter: string; value: number; identifier: string; at: number },
    signal: AbortSignal,
  ): Promise<void>
  /** Customers by subscription, in the provider's order: whoever pays for something, whether we know of them or not. */
  listSubscribers(
    page: { limit: number; after: string | null },
    signal: AbortSignal,
  ): Promise<{ subscribers: { customerId: string; subscriptionId: string }[]; after: string | null }>
}
