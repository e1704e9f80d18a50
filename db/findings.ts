import type { Tx } from './client.ts'

/** One result of a search page, or one line of the user's own list. */
export interface Finding {
  /** Its place on the page, from 0. */
  position: number
  /** What makes it the same business as another finding. */
  key: { kind: 'domain' | 'place'; value: string }
  name: string | null
  website: string | null
  phone: string | null
  address: string | null
}

/**
 * Records a page's findings: each business is one prospect of the organisation whatever found it, each finding one sighting, and each
 * prospect gets one visit in this campaign. Recording a page again changes nothing.
 */
export async function recordFindings(
  tx: Tx,
  page: { campaignId: string; searchId: string; findings: readonly Finding[] },
): Promise<void> {
  if (page.findings.length === 0) return
  const prospects = await claimProspects(tx, page.findings)
  const sightings = page.findings.map((finding) => ({
    searchId: page.searchId,
    position: finding.position,
    campaignId: page.campaignId,
    prospectId: prospects.get(keyText(finding.key)) ?? missing(finding),
  }))
  await tx`insert into sightings ${tx(sightings)} on conflict do nothing`
  // The address is this campaign's own finding: what another one found years ago may be gone.
  const visits = page.findings.map((finding) => ({
    campaignId: page.campaignId,
    prospectId: prospects.get(keyText(finding.key)) ?? missing(finding),
    url: finding.website,
  }))
  await tx`insert into site_visits ${tx(visits)} on conflict do nothing`
}

/** The prospect's id for each key, made where the business is new, completed where it was known with less. */
async function claimProspects(tx: Tx, findings: readonly Finding[]): Promise<Map<string, string>> {
  const byKey = new Map<string, Finding>()
  for (const finding of findings) {
    const known = byKey.get(keyText(finding.key))
    byKey.set(keyText(finding.key), known ? completed(known, finding) : finding)
  }
  // In one order everywhere, so that two pages with the same businesses cannot wait for each other.
  const keys = [...byKey.keys()].sort()
  const claims = keys.map((key) => byKey.get(key)?.key).filter((key) => key !== undefined)
  await tx`insert into prospect_keys ${tx(claims, 'kind', 'value')} on conflict do nothing`
  const rows = await tx<{ kind: string; value: string; prospectId: string }[]>`
    select kind, value, prospect_id from prospect_keys
    where (kind, value) in (select * from unnest(${claims.map((c) => c.kind)}::text[], ${claims.map((c) => c.value)}::text[]))`
  const ids = new Map(rows.map((row) => [`${row.kind}:${row.value}`, row.prospectId]))
  const prospects = keys.flatMap((key) => {
    const finding = byKey.get(key)
    const id = ids.get(key)
    return finding && id
      ? [{ id, name: finding.name, website: finding.website, phone: finding.phone, address: finding.address }]
      : []
  })
  await tx`
    insert into prospects ${tx(prospects)}
    on conflict (id) do update set
      name = coalesce(prospects.name, excluded.name), website = coalesce(prospects.website, excluded.website),
      phone = coalesce(prospects.phone, excluded.phone), address = coalesce(prospects.address, excluded.address)`
  return ids
}

function completed(known: Finding, other: Finding): Finding {
  return {
    ...known,
    name: known.name ?? other.name,
    website: known.website ?? other.website,
    phone: known.phone ?? other.phone,
    address: known.address ?? other.address,
  }
}

const keyText = (key: Finding['key']): string => `${key.kind}:${key.value}`

function missing(finding: Finding): never {
  throw new Error(`no prospect for the ${finding.key.kind} of finding ${finding.position}`)
}
