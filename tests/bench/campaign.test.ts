import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contactPages } from '../../activities/analysis/further-pages.ts'
import { analyseSite, type SiteAnalysis } from '../../activities/analysis/site.ts'
import { readWebsites } from '../../bench/bare-campaign.ts'
import { cpuSeconds, peakMemoryMb } from '../../bench/process-costs.ts'
import { createSiteReader } from '../../providers/websites/client.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const websites = Array.from({ length: 20 }, (_, index) => `http://large-${index}.test/`)
let sandbox: TestSandbox

beforeAll(async () => {
  sandbox = await startTestSandbox()
})
afterAll(() => sandbox.close())

/** What was asked of each host since the ledger had that many entries, in order. */
async function askedSince(seq: number): Promise<Map<string, string[]>> {
  const entries = await sandbox.requests({ since: String(seq) })
  return new Map(
    [...Map.groupBy(entries, ({ host }) => host)].map(([host, all]) => [host, all.map(({ path }) => path)]),
  )
}

/** How long an answer took is all that two readers may tell differently. */
function timeless(analyses: Iterable<[string, SiteAnalysis]>) {
  return new Map([...analyses].map(([website, analysis]) => [website, { ...analysis, responseMs: 0 }]))
}

test('both halves ask large sites for the same pages and understand them alike', async () => {
  const bare = await readWebsites({ websites, place: sandbox.urls.sites, concurrency: 4 })
  const askedByBare = await askedSince(0)

  const { length } = await sandbox.requests()
  const { host } = new URL(sandbox.urls.sites)
  const reader = createSiteReader({ allowAddresses: [host], testHosts: { http: sandbox.urls.sites } })
  const ours = websites.map(async (website): Promise<[string, SiteAnalysis]> => {
    const pages = await reader.read(website, new AbortController().signal, contactPages)
    return [website, analyseSite(pages, 'US')]
  })

  expect(timeless(bare)).toEqual(timeless(await Promise.all(ours)))
  expect(askedByBare).toEqual(await askedSince(length))
  expect(new Set([...askedByBare.values()].map(String))).toEqual(new Set(['/robots.txt,/,/contact,/about']))
})

test('the bare half reads a list as a process of its own and tells what it cost', async () => {
  const { length } = await sandbox.requests()
  const script = fileURLToPath(new URL('../../bench/bare-campaign.ts', import.meta.url))
  const child = spawn(process.execPath, [script, sandbox.urls.sites, '4', '5'], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(websites.join('\n'))
  expect(JSON.parse(await text(child.stdout))).toEqual({
    seconds: expect.any(Number),
    cpuSeconds: expect.any(Number),
    peakMemoryMb: expect.any(Number),
  })
  expect(new Set((await askedSince(length)).keys()).size).toBe(websites.length)
})

test.runIf(process.platform === 'linux')('what a process and its children cost is read from /proc', () => {
  const spent = cpuSeconds(process.pid)
  expect(spent).toBeGreaterThan(0)
  expect(cpuSeconds(process.ppid)).toBeGreaterThanOrEqual(spent)
  expect(peakMemoryMb(process.pid)).toBeGreaterThan(20)
})
