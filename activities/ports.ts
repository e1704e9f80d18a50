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
}

export interface SearchPage {
  businesses: FoundBusiness[]
  hasMore: boolean
}

/** Finds businesses. A page costs one search; the same page asked again within the hour is free. Throws ProviderError. */
export interface BusinessSearch {
  searchPage(query: SearchPageQuery, signal: AbortSignal): Promise<SearchPage>
}

/** Why a website could not be read; stored on the prospect and shown to people. */
export type SiteFailureCode =
  | 'invalid_url'
  | 'dns_not_found'
  | 'dns_failed'
  | 'network_unreachable'
  | 'address_not_allowed'
  | 'port_not_allowed'
  | 'connection_failed'
  | 'bad_certificate'
  | 'timeout'
  | 'too_many_redirects'
  | 'too_large'
  | 'not_html'
  | 'http_status'

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

/** Reads the page at a website's address, politely and safely. Throws SiteFailure, or the signal's reason when aborted. */
export interface SiteReader {
  read(website: string, signal: AbortSignal): Promise<SitePage>
}
