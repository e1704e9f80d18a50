import type { Tx } from './client.ts'

/** One result of a search page, or one line of the user's own list. */
export interface Finding {
  /** Its place on the page, from 0. */
  position: number
  /** What makes it the same business as another finding, the stronger first; at least one. */
  keys: readonly BusinessKey[]
  name: string | null
  website: string | null
  phone: string | null
  address: string | null
  /** Whether the business paid for being shown. */
  isAd: boolean
}

interface BusinessKey {
  kind: 'domain' | 'place'
  value: string
}

/** A prospect and what the page shows of it. */
interface Business {
  prospectId: string
  hasDomain: boolean
  findings: Finding[]
}

/**
 * Records a page's findings: each business is one prospect of the organisation whatever found it, each finding one sighting, and each
 * prospect gets one visit in this campaign. Recording a page again changes nothing.
 */
export async function recordFindings(
  tx: Tx,
  page: { campaignId: string; searchId: string; findings: readonly Finding[] },
): Promise<void> {
  const { campaignId, searchId } = page
  if (page.findings.length === 0) return
  const businesses = await claimBusinesses(tx, page.findings)
  const knownWebsites = await completeProspects(tx, businesses)
  const sightings = businesses.flatMap(({ prospectId, findings }) =>
    findings.map(({ position, isAd }) => ({ searchId, position, campaignId, prospectId, isAd })),
  )
  await tx`insert into sightings ${tx(sightings)} on conflict do nothing`
  // The address is this campaign's own finding where it has one: what another one found years ago may be gone.
  const visits = businesses.map(({ prospectId, findings }) => ({
    campaignId,
    prospectId,
    url: first(findings, 'website') ?? knownWebsites.get(prospectId) ?? null,
  }))
  await tx`
    insert into site_visits ${tx(visits)}
    on conflict (campaign_id, prospect_id) do update set url = excluded.url
    where site_visits.status = 'pending' and site_visits.url is null and excluded.url is not null`
}

/**
 * Sorts findings by business and claims the keys that nobody has. The domain tells whose a finding is, else the place. A domain that
 * nobody has joins the business at its place unless that has one already; two businesses that were known apart stay two.
 */
async function claimBusinesses(tx: Tx, findings: readonly Finding[]): Promise<Business[]> {
  // One page of an organisation at a time: keys of two kinds, each of which may bring another business in, have no order to lock them in.
  await tx`select pg_advisory_xact_lock(hashtextextended('findings/' || current_organisation(), 0))`
  const owners = await ownersOf(
    tx,
    findings.flatMap(({ keys }) => keys),
  )
  const strangers = await newProspectIds(tx, findings.length)
  const claims: (BusinessKey & { prospectId: string })[] = []
  for (const finding of findings) {
    const owner = finding.keys
      .map((key) => owners.get(keyText(key)))
      .find((known, strength) => known !== undefined && (strength === 0 || !known.hasDomain))
    const business = owner ?? { prospectId: strangers.shift() ?? missing(), hasDomain: false, findings: [] }
    business.findings.push(finding)
    for (const key of finding.keys.filter((each) => !owners.has(keyText(each)))) {
      owners.set(keyText(key), business)
      business.hasDomain ||= key.kind === 'domain'
      claims.push({ ...key, prospectId: business.prospectId })
    }
  }
  if (claims.length > 0) await tx`insert into prospect_keys ${tx(claims, 'kind', 'value', 'prospectId')}`
  return [...new Set(owners.values())].filter((business) => business.findings.length > 0)
}

/** The businesses that keys belong to, each once, under the texts of all its keys among these. */
async function ownersOf(tx: Tx, keys: readonly BusinessKey[]): Promise<Map<string, Business>> {
  const rows = await tx<(BusinessKey & { prospectId: string; hasDomain: boolean })[]>`
    select kind, value, prospect_id, exists (
        select from prospect_keys as other where other.prospect_id = prospect_keys.prospect_id and other.kind = 'domain'
      ) as has_domain
    from prospect_keys
    where (kind, value) in (select * from unnest(${keys.map(({ kind }) => kind)}::text[], ${keys.map(({ value }) => value)}::text[]))`
  const businesses = new Map<string, Business>()
  const owners = new Map<string, Business>()
  for (const { prospectId, hasDomain, ...key } of rows) {
    const business = businesses.get(prospectId) ?? { prospectId, hasDomain, findings: [] }
    businesses.set(prospectId, business)
    owners.set(keyText(key), business)
  }
  return owners
}

/** Made here, since keys and prospects name each other; in ascending order, so that prospects are listed as they were found. */
async function newProspectIds(tx: Tx, count: number): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`select uuidv7() as id from generate_series(1, ${count})`
  return rows.map(({ id }) => id)
}

/** Makes the prospects that are new and completes those that were known with less. Returns the websites that they now have. */
async function completeProspects(tx: Tx, businesses: readonly Business[]): Promise<Map<string, string | null>> {
  const prospects = businesses.map(({ prospectId, findings }) => ({
    id: prospectId,
    name: first(findings, 'name'),
    website: first(findings, 'website'),
    phone: first(findings, 'phone'),
    address: first(findings, 'address'),
  }))
  const rows = await tx<{ id: string; website: string | null }[]>`
    insert into prospects ${tx(prospects)}
    on conflict (id) do update set
      name = coalesce(prospects.name, excluded.name), website = coalesce(prospects.website, excluded.website),
      phone = coalesce(prospects.phone, excluded.phone), address = coalesce(prospects.address, excluded.address)
    returning id, website`
  return new Map(rows.map(({ id, website }) => [id, website]))
}

function first(findings: readonly Finding[], fact: 'name' | 'website' | 'phone' | 'address'): string | null {
  return findings.find((finding) => finding[fact] !== null)?.[fact] ?? null
}

function missing(): never {
  throw new Error('there are more new businesses than findings')
}

const keyText = ({ kind, value }: BusinessKey): string => `${kind}:${value}`
