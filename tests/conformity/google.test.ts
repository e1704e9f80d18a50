import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../config.ts'
import { type Exchange, openDiscovery } from '../support/discovery.ts'
import { askGoogle, googleSheets } from '../support/google.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const { specsDir } = loadConfig()
const files = ['google.sheets.v4.discovery.json', 'google.drive.v3.discovery.json'].map((name) => join(specsDir, name))
const isAbsent = !files.every((file) => existsSync(file))

/** What no description has. */
const undescribed = ['POST /token']

describe.skipIf(isAbsent)(`Google's descriptions${isAbsent ? ' (skipped: no google.*.json in SPECS_DIR)' : ''}`, () => {
  test('fit all that our client sends and the sandbox answers', async () => {
    await using sandbox = await startTestSandbox()
    const exchanges = await wholeStory(sandbox)
    const apis = files.map(openDiscovery)
    const checked = exchanges.map((exchange) => ({
      line: `${exchange.method} ${exchange.path.replace(/\?.*/, '')}`,
      found: apis.map((api) => api.check(exchange)).find((one) => one !== null),
    }))
    expect(checked.flatMap(({ found }) => (found && found.problems.length > 0 ? [found] : []))).toEqual([])
    expect(new Set(checked.filter(({ found }) => !found).map(({ line }) => line))).toEqual(new Set(undescribed))
    expect(new Set(checked.flatMap(({ found }) => (found ? [found.id] : [])))).toEqual(
      new Set([
        'drive.files.create',
        'drive.files.get',
        'drive.files.list',
        'drive.permissions.create',
        'drive.permissions.list',
        'drive.permissions.update',
        'sheets.spreadsheets.batchUpdate',
        'sheets.spreadsheets.developerMetadata.get',
        'sheets.spreadsheets.values.batchGetByDataFilter',
        'sheets.spreadsheets.values.get',
      ]),
    )
  })

  test('would find a misspelt field, parameter or answer', () => {
    const [sheets] = files.map(openDiscovery)
    const path = '/v4/spreadsheets/id:batchUpdate'
    const check = (changes: Partial<Exchange>) =>
      sheets?.check({ method: 'POST', path, body: { requests: [] }, status: 200, answer: {}, ...changes })?.problems
    expect(check({})).toEqual([])
    expect(check({ path: `${path}?filds=x` })).toEqual(['there is no parameter filds'])
    expect(check({ body: { requests: [{ appendCell: {} }] } })).toHaveLength(1)
    expect(check({ body: { requests: [{ appendCells: { sheetId: 'x' } }] } })).toHaveLength(1)
    expect(check({ answer: { spreadsheetID: 'x' } })).toHaveLength(1)
  })
})

/** Every call that our client makes, and the one by which tests read sheets, with what went over the wire. */
async function wholeStory(sandbox: TestSandbox): Promise<Exchange[]> {
  const exchanges: Exchange[] = []
  const recording = async (address: string, init?: RequestInit) => {
    const response = await fetch(address, init)
    const url = new URL(address)
    const isToken = url.pathname.endsWith('/token')
    exchanges.push({
      method: init?.method ?? 'GET',
      path: `${url.pathname.replace(/^\/google/, '')}${url.search}`,
      body: !isToken && typeof init?.body === 'string' ? JSON.parse(init.body) : undefined,
      status: response.status,
      answer: await response.clone().json(),
    })
    return response
  }
  const never = new AbortController().signal
  const sheets = googleSheets(sandbox, { fetch: recording, folderId: 'a-folder' })
  await sheets.findSpreadsheet('mark-1', never)
  const { id } = await sheets.createSpreadsheet({ title: 'Dentists', marker: 'mark-1' }, never)
  await sheets.findSpreadsheet('mark-1', never)
  const looks = (['text', 'number', 'score'] as const).map((look) => ({ title: look, look, widthPixels: 100 }))
  await sheets.prepare(id, looks, never)
  const chunk = { number: 1, rows: [{ key: 'a', values: ['=1+1', 1, null] }] }
  await sheets.appendRows(id, chunk, never)
  await sheets.appendRows(id, chunk, never)
  await sheets.readKeys(id, never)
  await sheets.share(id, { emailAddress: 'ann@example.com', role: 'reader' }, never)
  await sheets.share(id, { emailAddress: 'ann@example.com', role: 'writer' }, never)
  const path = `/v4/spreadsheets/${id}/values/A%3AB?majorDimension=COLUMNS`
  const answer: unknown = await (await askGoogle(sandbox, path)).json()
  return [...exchanges, { method: 'GET', path, body: undefined, status: 200, answer }]
}
