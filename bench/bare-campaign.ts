import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Client } from 'undici'
import { contactPages } from '../activities/analysis/further-pages.ts'
import { analyseSite, type ReadPage, type SiteAnalysis } from '../activities/analysis/site.ts'

/** What Throughline is measured against: the same reading and analysing in one loop that knows no workflow and no database. */
interface BareCampaign {
  websites: readonly string[]
  /** Where every name is connected to: `http://127.0.0.1:3003`. */
  place: string
  /** Sites that are read at the same time. */
  concurrency: number
}

/** The time and size that the product allows a site, and how it says who it is. */
const siteMs = 10_000
const maxBytes = 2_000_000
const headers = {
  'user-agent': 'ThroughlineBot/0.1',
  accept: 'text/html,application/xhtml+xml',
  'accept-encoding': 'gzip, br',
}

/** Reads and analyses all websites; rejects with the first that cannot be. */
export async function readWebsites({ websites, place, concurrency }: BareCampaign): Promise<Map<string, SiteAnalysis>> {
  const analyses = new Map<string, SiteAnalysis>()
  const waiting = websites.values()
  const reader = async () => {
    for (const website of waiting) analyses.set(website, await readWebsite(website, place))
  }
  await Promise.all(Array.from({ length: concurrency }, reader))
  return analyses
}

/** Over one connection: robots.txt, the home page, and what the analysis picks from that. */
async function readWebsite(website: string, place: string): Promise<SiteAnalysis> {
  const signal = AbortSignal.timeout(siteMs)
  const client = new Client(place, { maxResponseSize: maxBytes, headersTimeout: 0, bodyTimeout: 0 })
  try {
    const forbidden = forbiddenPaths(await get('/robots.txt'))
    const home = await page(website)
    const others: ReadPage[] = []
    for (const url of contactPages(home)) others.push(await page(url))
    return analyseSite([home, ...others], 'US')

    async function page(url: string): Promise<ReadPage> {
      const { pathname } = new URL(url)
      if (forbidden.some((path) => pathname.startsWith(path))) throw new Error(`robots.txt forbids ${url}`)
      const askedAt = performance.now()
      const html = await get(pathname)
      return { url, html, responseMs: Math.round(performance.now() - askedAt) }
    }
  } finally {
    await client.destroy()
  }

  async function get(path: string): Promise<string> {
    const { host } = new URL(website)
    const { statusCode, body } = await client.request({ method: 'GET', path, headers: { ...headers, host }, signal })
    if (statusCode !== 200) throw new Error(`${website} answered ${statusCode}`)
    return body.text()
  }
}

/** What nobody may read. The rules say more; the sites that this is for do not. */
function forbiddenPaths(robots: string): string[] {
  return [...robots.matchAll(/^Disallow: *(\S+)/gim)].flatMap(([, path]) => path ?? [])
}

/** `node bench/bare-campaign.ts PLACE CONCURRENCY WARM_UP < websites`: the first WARM_UP of them are read before the clock starts. */
async function main([place = '', concurrency, warmUp]: string[]): Promise<void> {
  const websites = (await text(process.stdin)).trim().split('\n')
  const run = { place, concurrency: Number(concurrency) }
  await readWebsites({ ...run, websites: websites.slice(0, Number(warmUp)) })

  const cpuBefore = process.cpuUsage()
  const begun = performance.now()
  await readWebsites({ ...run, websites: websites.slice(Number(warmUp)) })
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  const peakMemoryMb = Math.round(process.resourceUsage().maxRSS / 1024)
  console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1_000_000, peakMemoryMb }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
