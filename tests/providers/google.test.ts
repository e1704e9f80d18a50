import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ProviderError, type SheetExport } from '../../activities/ports.ts'
import { askGoogle, credentials, googleSheets, grant, valuesOf } from '../support/google.ts'
import { startTestSandbox, type TestSandbox } from '../support/sandbox.ts'

const never = new AbortController().signal
const columns = [
  { title: 'Score', look: 'score', widthPixels: 60 },
  { title: 'Name', look: 'text', widthPixels: 200 },
] as const
const rows = (...keys: string[]) => keys.map((key, index) => ({ key, values: [index, `Name of ${key}`] }))

let sandbox: TestSandbox
let sheets: SheetExport
beforeEach(async () => {
  sandbox = await startTestSandbox()
  sheets = googleSheets(sandbox)
})
afterEach(() => sandbox.close())

async function newSheet(): Promise<string> {
  const { id } = await sheets.createSpreadsheet({ title: 'Dentists', marker: 'mark-1' }, never)
  await sheets.prepare(id, columns, never)
  return id
}

const event = (type: string, spreadsheetId?: string) =>
  sandbox.control('POST', '/_sandbox/events', { provider: 'google', type, ...(spreadsheetId && { spreadsheetId }) })

const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  )

test('what has been created is found again by its marker, and what has not is not', async () => {
  const created = await sheets.createSpreadsheet({ title: "O'Hara & Sons", marker: 'mark-1' }, never)
  expect(created.url).toBe(`${sandbox.urls.google}/view/${created.id}`)
  expect(await sheets.findSpreadsheet('mark-1', never)).toEqual(created)
  expect(await sheets.findSpreadsheet('mark-2', never)).toBeNull()
})

test('a creation whose answer is lost is unconfirmed, and found', async () => {
  await sandbox.addFault({ provider: 'google', operation: 'drive.files.create', kind: 'accept-then-drop' })
  const lost = sheets.createSpreadsheet({ title: 'Dentists', marker: 'mark-1' }, never)
  expect(await failureOf(lost)).toMatchObject({ outcome: 'unconfirmed', code: 'network' })
  expect(await sheets.findSpreadsheet('mark-1', never)).not.toBeNull()
})

test('a sheet gets its header and looks once, however often it is prepared', async () => {
  const id = await newSheet()
  await sheets.appendRows(id, { number: 1, rows: rows('a') }, never)
  await sheets.prepare(id, columns, never)
  expect(await valuesOf(sandbox, id, 'A:C')).toEqual([
    ['Key', 'Score', 'Name'],
    ['a', 0, 'Name of a'],
  ])
  const changes = (await sandbox.requests()).filter(({ operation }) => operation === 'sheets.batchUpdate')
  expect(changes).toHaveLength(2)
})

test('texts that look like formulas, numbers or dates are kept as they are', async () => {
  const id = await newSheet()
  const values = [7, '=HYPERLINK("http://evil.test")', '+1 512 555 0100', '007', '1/2', "'quoted", null]
  await sheets.appendRows(id, { number: 1, rows: [{ key: 'a', values }] }, never)
  expect((await valuesOf(sandbox, id, 'A2:Z2'))[0]).toEqual(['a', ...values.slice(0, -1)])
})

test('the keys of the rows are read without the header', async () => {
  const id = await newSheet()
  expect(await sheets.readKeys(id, never)).toEqual(new Set())
  await sheets.appendRows(id, { number: 1, rows: rows('a', 'b') }, never)
  expect(await sheets.readKeys(id, never)).toEqual(new Set(['a', 'b']))
})

test('an append that comes again, even long after, adds nothing', async () => {
  const id = await newSheet()
  await sandbox.addFault({ provider: 'google', operation: 'sheets.batchUpdate', kind: 'accept-then-drop', count: 1 })
  const lost = sheets.appendRows(id, { number: 1, rows: rows('a', 'b') }, never)
  expect(await failureOf(lost)).toMatchObject({ outcome: 'unconfirmed', code: 'network' })
  await sheets.appendRows(id, { number: 2, rows: rows('c') }, never)
  await sheets.appendRows(id, { number: 1, rows: rows('a', 'b') }, never)
  expect((await valuesOf(sandbox, id, 'A2:A')).flat()).toEqual(['a', 'b', 'c'])
})

describe('sharing', () => {
  const share = (id: string, emailAddress: string, role: 'reader' | 'writer') =>
    sheets.share(id, { emailAddress, role }, never)
  const sent = async () =>
    (await sandbox.requests())
      .map(({ operation }) => operation)
      .filter((operation) => /permissions\.(create|update)/.test(operation))

  test('is done once, however often it is asked and however the address is spelt', async () => {
    const id = await newSheet()
    await share(id, 'ann@example.com', 'writer')
    await share(id, 'Ann@Example.com', 'writer')
    await share(id, 'ann@example.com', 'reader')
    expect(await sent()).toEqual(['drive.permissions.create'])
  })

  test('lifts a role that is too low, without another message', async () => {
    const id = await newSheet()
    await share(id, 'ann@example.com', 'reader')
    await share(id, 'ann@example.com', 'writer')
    expect(await sent()).toEqual(['drive.permissions.create', 'drive.permissions.update'])
    const permissions = await (await askGoogle(sandbox, `/drive/v3/files/${id}/permissions`)).json()
    expect(permissions).toMatchObject({
      permissions: [{ role: 'owner' }, { emailAddress: 'ann@example.com', role: 'writer' }],
    })
  })

  test.each(['no address', 'ann@no-account.test'])('with "%s" is refused, without quoting it', async (address) => {
    const id = await newSheet()
    const failure = await failureOf(share(id, address, 'reader'))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'invalid_share_address' })
    expect(inspect(failure)).not.toContain(address)
  })
})

describe('what a person has to mend is told apart', () => {
  const every: [string, (id: string) => Promise<unknown>][] = [
    ['prepare', (id) => sheets.prepare(id, columns, never)],
    ['readKeys', (id) => sheets.readKeys(id, never)],
    ['appendRows', (id) => sheets.appendRows(id, { number: 1, rows: rows('a') }, never)],
  ]

  test.each(every)('%s of a spreadsheet that was deleted', async (_name, call) => {
    const id = await newSheet()
    await event('spreadsheet.deleted', id)
    expect(await failureOf(call(id))).toMatchObject({ outcome: 'rejected', code: 'spreadsheet_not_found' })
  })

  test.each(every)('%s of a spreadsheet whose access was withdrawn', async (_name, call) => {
    const id = await newSheet()
    await event('access.withdrawn', id)
    expect(await failureOf(call(id))).toMatchObject({ outcome: 'rejected', code: 'no_access' })
    await event('access.restored', id)
    expect(await failureOf(call(id))).toBeUndefined()
  })

  test('a spreadsheet in the bin is as good as deleted', async () => {
    const id = await newSheet()
    await event('spreadsheet.trashed', id)
    const failure = await failureOf(sheets.prepare(id, columns, never))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'spreadsheet_not_found' })
    expect(await sheets.findSpreadsheet('mark-1', never)).toBeNull()
  })

  test('an account without rights', async () => {
    await event('access.withdrawn')
    const failure = await failureOf(sheets.createSpreadsheet({ title: 'Dentists', marker: 'mark-1' }, never))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'no_access' })
  })

  test('a key that Google does not know', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const stranger = googleSheets(sandbox, { privateKey })
    const failure = await failureOf(stranger.findSpreadsheet('mark-1', never))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'invalid_credentials' })
  })

  test('a sheet whose first column is another', async () => {
    const id = await newSheet()
    const request = { start: { sheetId: 0, rowIndex: 0, columnIndex: 0 }, fields: '*' }
    const updateCells = { ...request, rows: [{ values: [{ userEnteredValue: { stringValue: 'My notes' } }] }] }
    const body = JSON.stringify({ requests: [{ updateCells }] })
    await askGoogle(sandbox, `/v4/spreadsheets/${id}:batchUpdate`, { method: 'POST', body })
    const expected = { outcome: 'rejected', code: 'sheet_rearranged' }
    expect(await failureOf(sheets.prepare(id, columns, never))).toMatchObject(expected)
    expect(await failureOf(sheets.readKeys(id, never))).toMatchObject(expected)
  })
})

describe('with a failing Google', () => {
  test('429 says when to come back, and nothing is asked twice', async () => {
    const id = await newSheet()
    const before = (await sandbox.requests()).length
    const fault = { provider: 'google', kind: 'status', status: 429, retryAfterSeconds: 30 } as const
    await sandbox.addFault({ ...fault, operation: 'sheets.batchUpdate' })
    const failure = await failureOf(sheets.appendRows(id, { number: 1, rows: rows('a') }, never))
    expect(failure).toMatchObject({ outcome: 'retryAfter', code: 'rate_limited', retryAfterMs: 30_000 })
    expect(await sandbox.requests()).toHaveLength(before + 1)
  })

  test.each([500, 503])('an append answered %i may have been done, a read is repeated', async (status) => {
    await sandbox.addFault({
      provider: 'google',
      operation: 'sheets.values.batchGetByDataFilter',
      kind: 'status',
      status,
    })
    const { id } = await sheets.createSpreadsheet({ title: 'Dentists', marker: 'mark-1' }, never)
    expect(await failureOf(sheets.readKeys(id, never))).toMatchObject({ outcome: 'retry', code: `http_${status}` })
    await sandbox.control('DELETE', '/_sandbox/faults')
    await sandbox.addFault({ provider: 'google', operation: 'sheets.batchUpdate', kind: 'status', status })
    const failure = await failureOf(sheets.appendRows(id, { number: 1, rows: rows('a') }, never))
    expect(failure).toMatchObject({ outcome: 'unconfirmed', code: `http_${status}` })
  })

  test('a silent Google is given up after the time-out', async () => {
    const id = await newSheet()
    await sandbox.addFault({ provider: 'google', operation: 'sheets.batchUpdate', kind: 'timeout' })
    const impatient = googleSheets(sandbox, { timeoutMs: 300 })
    const failure = await failureOf(impatient.appendRows(id, { number: 1, rows: rows('a') }, never))
    expect(failure).toMatchObject({ outcome: 'unconfirmed', code: 'timeout' })
  })

  test.each([
    ['status', { status: 503 }, { outcome: 'retry', code: 'http_503' }],
    ['status', { status: 429 }, { outcome: 'retryAfter', code: 'rate_limited' }],
    ['reset', {}, { outcome: 'retry', code: 'no_token' }],
  ] as const)('without a token (%s %o) nothing was appended', async (kind, details, expected) => {
    const id = await newSheet()
    const fault = { provider: 'google', operation: 'token', kind, ...details }
    await sandbox.control('POST', '/_sandbox/faults', fault)
    const fresh = googleSheets(sandbox)
    const failure = await failureOf(fresh.appendRows(id, { number: 1, rows: rows('a') }, never))
    expect(failure).toMatchObject(expected)
    expect((await sandbox.requests()).filter(({ operation }) => operation === 'token')).toHaveLength(2)
  })

  test.each([
    ['rateLimitExceeded', { outcome: 'retryAfter', code: 'rate_limited' }],
    ['userRateLimitExceeded', { outcome: 'retryAfter', code: 'rate_limited' }],
    ['storageQuotaExceeded', { outcome: 'rejected', code: 'storage_full' }],
    ['insufficientFilePermissions', { outcome: 'rejected', code: 'no_access' }],
  ])('403 with the reason %s', async (reason, expected) => {
    const refuse = (url: string, init?: RequestInit) =>
      url.endsWith('/token')
        ? fetch(url, init)
        : Promise.resolve(
            Response.json(
              { error: { code: 403, message: 'No.', errors: [{ reason, domain: 'global' }] } },
              { status: 403 },
            ),
          )
    const failure = await failureOf(googleSheets(sandbox, { fetch: refuse }).findSpreadsheet('mark-1', never))
    expect(failure).toMatchObject(expected)
  })

  test('a token that is refused is not used again', async () => {
    const answers: number[] = []
    const refuseOnce = async (url: string, init?: RequestInit) => {
      const isFirst = !url.endsWith('/token') && !answers.includes(401)
      const response = isFirst ? Response.json({}, { status: 401 }) : await fetch(url, init)
      answers.push(response.status)
      return response
    }
    const client = googleSheets(sandbox, { fetch: refuseOnce })
    const failure = await failureOf(client.findSpreadsheet('mark-1', never))
    expect(failure).toMatchObject({ outcome: 'rejected', code: 'invalid_credentials' })
    expect(await client.findSpreadsheet('mark-1', never)).toBeNull()
    expect(answers).toEqual([200, 401, 200, 200])
  })

  test('who gives up gets their own reason, at once', async () => {
    const id = await newSheet()
    await sandbox.addFault({ provider: 'google', operation: 'sheets.values.batchGetByDataFilter', kind: 'timeout' })
    const reason = new Error('the worker stops')
    const giveUp = new AbortController()
    const reading = sheets.readKeys(id, giveUp.signal)
    giveUp.abort(reason)
    await expect(reading).rejects.toBe(reason)
  })

  test('no failure shows a secret or an address', async () => {
    const stranger = googleSheets(sandbox, { clientEmail: 'stranger@example.com' })
    const failure = await failureOf(stranger.findSpreadsheet('mark-1', never))
    expect(failure).toBeInstanceOf(ProviderError)
    expect(inspect(failure, { depth: 9 })).not.toMatch(/PRIVATE|stranger|ya29/)
  })
})

describe('the sandbox', () => {
  test('knows after a restart what it knew before', async () => {
    const { stateDir } = sandbox
    const id = await newSheet()
    await sheets.appendRows(id, { number: 1, rows: rows('a') }, never)
    await sheets.share(id, { emailAddress: 'ann@example.com', role: 'reader' }, never)
    await event('access.withdrawn', id)
    await using again = await startTestSandbox({ stateDir })
    const client = googleSheets(again)
    expect(await failureOf(client.readKeys(id, never))).toMatchObject({ code: 'no_access' })
    const body = { provider: 'google', type: 'access.restored', spreadsheetId: id }
    await again.control('POST', '/_sandbox/events', body)
    expect(await client.readKeys(id, never)).toEqual(new Set(['a']))
    await client.appendRows(id, { number: 1, rows: rows('a') }, never)
    expect((await valuesOf(again, id, 'A:A')).flat()).toEqual(['Key', 'a'])
    const other = await client.createSpreadsheet({ title: 'Plumbers', marker: 'mark-2' }, never)
    expect(other.id).not.toBe(id)
  })

  test('shows a spreadsheet as a page, where nothing in it can do harm', async () => {
    const id = await newSheet()
    await sheets.appendRows(id, { number: 1, rows: [{ key: 'a', values: [80, '<script>alert(1)</script>'] }] }, never)
    const page = await (await fetch(`${sandbox.urls.google}/view/${id}`)).text()
    expect(page).toContain('&#60;script&#62;alert(1)')
    expect(page).not.toContain('<script>')
    expect((await fetch(`${sandbox.urls.google}/view/none`)).status).toBe(404)
  })

  test.each([
    [{ type: 'spreadsheet.deleted' }, '/spreadsheetId'],
    [{ type: 'spreadsheet.deleted', spreadsheetId: 'none' }, '/spreadsheetId'],
    [{ type: 'spreadsheet.shredded' }, '/type'],
  ])('refuses the event %o', async (body, pointer) => {
    const response = await sandbox.control('POST', '/_sandbox/events', { provider: 'google', ...body })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
  })

  test('takes only assertions that its account has signed, for Google and for an hour', async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: credentials.clientEmail, scope: 'x', aud: 'https://oauth2.googleapis.com/token', iat: now }
    const statuses = []
    for (const wrong of [
      { exp: now + 60 },
      { exp: now + 7200 },
      { exp: now + 60, aud: 'x' },
      { exp: now + 60, iss: 'x' },
    ]) {
      statuses.push((await grant(sandbox, { ...claims, ...wrong })).status)
    }
    expect(statuses).toEqual([200, 400, 400, 400])
  })
})
