import { z } from 'zod'
import { sheetPage } from './sandbox-page.ts'
import {
  Change,
  createSpreadsheets,
  GoogleEvent,
  permissionId,
  refusalOf,
  type SandboxSpreadsheet,
  SheetRequests,
} from './sandbox-spreadsheets.ts'
import { account, grantToken, hasToken } from './sandbox-token.ts'
import { Dimension, parseRange, valueRange } from './sandbox-values.ts'

interface Answer {
  reply: Response
  change?: Change
}

interface Call {
  request: Request
  url: URL
  /** What stands in the path where the pattern has a group. */
  parts: string[]
  now: Date
}

/**
 * Google's token endpoint, Drive and Sheets as far as Throughline uses them: one service account, spreadsheets of one tab. Addresses at
 * `no-account.test` cannot be let in. A spreadsheet is shown as a page at `/view/{id}`. Events: `spreadsheet.deleted`, `.trashed` and
 * `.restored`; `access.withdrawn` and `.restored`, of one spreadsheet or, without `spreadsheetId`, of the account.
 */
export function createGoogleSandbox() {
  const spreadsheets = createSpreadsheets()

  /** Sheets says of a file that the account may not see that this is so; Drive, that there is none. */
  function onSheet(call: Call, work: (spreadsheet: SandboxSpreadsheet) => Promise<Answer> | Answer) {
    const spreadsheet = spreadsheets.find(call.parts[0] ?? '')
    if (spreadsheet === undefined) return sheetsError(404, 'NOT_FOUND', 'Requested entity was not found.')
    if (spreadsheet.withdrawn) return sheetsError(403, 'PERMISSION_DENIED', 'The caller does not have permission')
    return work(spreadsheet)
  }

  function onFile(call: Call, work: (spreadsheet: SandboxSpreadsheet) => Promise<Answer> | Answer) {
    const id = call.parts[0] ?? ''
    const spreadsheet = spreadsheets.find(id)
    if (spreadsheet === undefined || spreadsheet.withdrawn) return driveError(404, 'notFound', `File not found: ${id}.`)
    return work(spreadsheet)
  }

  const routes: [operation: string, pattern: RegExp, handle: (call: Call) => Promise<Answer> | Answer][] = [
    ['token', /^POST \/token$/, async ({ request }) => ({ reply: await grantToken(request) })],
    ['view', /^GET \/view\/([\w-]+)$/, view],
    ['drive.files.list', /^GET \/drive\/v3\/files$/, listFiles],
    ['drive.files.create', /^POST \/drive\/v3\/files$/, createFile],
    ['drive.files.get', /^GET \/drive\/v3\/files\/([\w-]+)$/, (call) => onFile(call, (one) => ok(fileOf(one, call)))],
    ['drive.permissions.list', /^GET \/drive\/v3\/files\/([\w-]+)\/permissions$/, listPermissions],
    ['drive.permissions.create', /^POST \/drive\/v3\/files\/([\w-]+)\/permissions$/, createPermission],
    ['drive.permissions.update', /^PATCH \/drive\/v3\/files\/([\w-]+)\/permissions\/(\w+)$/, updatePermission],
    ['sheets.batchUpdate', /^POST \/v4\/spreadsheets\/([\w-]+):batchUpdate$/, batchUpdate],
    ['sheets.values.get', /^GET \/v4\/spreadsheets\/([\w-]+)\/values\/([^/]+)$/, getValues],
    [
      'sheets.values.batchGetByDataFilter',
      /^POST \/v4\/spreadsheets\/([\w-]+)\/values:batchGetByDataFilter$/,
      getValuesByFilter,
    ],
    ['sheets.developerMetadata.get', /^GET \/v4\/spreadsheets\/([\w-]+)\/developerMetadata\/(\d+)$/, getMark],
  ]
  const open = new Set(['token', 'view'])

  return {
    provider: 'google',
    operations: [...routes.map(([operation]) => operation), 'unknown'],

    operation: (request: Request): string => routeOf(request)?.operation ?? 'unknown',

    async handle(request: Request, { now }: { now: Date }): Promise<Answer> {
      const route = routeOf(request)
      if (route === undefined) return sheetsError(404, 'NOT_FOUND', 'Method not found.')
      if (!open.has(route.operation)) {
        if (!hasToken(request)) return sheetsError(401, 'UNAUTHENTICATED', 'Invalid authentication credentials.')
        if (spreadsheets.isAccountWithdrawn()) return sheetsError(403, 'PERMISSION_DENIED', 'Permission denied.')
      }
      const answer = await route.handle({ request, url: new URL(request.url), parts: route.parts, now })
      if (answer.change) spreadsheets.apply(answer.change)
      return answer
    },

    happen(event: unknown): Change {
      const known = GoogleEvent.refine(
        ({ spreadsheetId }) => spreadsheetId === undefined || spreadsheets.find(spreadsheetId) !== undefined,
        { path: ['spreadsheetId'], error: 'there is no such spreadsheet' },
      )
      const change: Change = { kind: 'happened', event: known.parse(event) }
      spreadsheets.apply(change)
      return change
    },

    replay(change: unknown): void {
      spreadsheets.apply(Change.parse(change))
    },

    reset: () => spreadsheets.clear(),
  }

  function routeOf(request: Request) {
    const line = `${request.method} ${new URL(request.url).pathname}`
    for (const [operation, pattern, handle] of routes) {
      const found = pattern.exec(line)
      if (found) return { operation, handle, parts: found.slice(1).map(decodeURIComponent) }
    }
    return undefined
  }

  function view({ parts: [id = ''] }: Call): Answer {
    const spreadsheet = spreadsheets.find(id)
    return { reply: spreadsheet ? sheetPage(spreadsheet) : new Response('There is no such sheet.', { status: 404 }) }
  }

  /** Understands the one question that Throughline asks. */
  function listFiles(call: Call): Answer {
    const query = call.url.searchParams.get('q') ?? ''
    const asked = /^appProperties has \{ key='([^']+)' and value='([^']+)' \} and trashed = false$/.exec(query)
    if (asked === null) return driveError(400, 'invalid', 'Invalid Value')
    const [, key = '', value = ''] = asked
    const found = spreadsheets.all().filter((one) => !one.trashed && !one.withdrawn && one.appProperties[key] === value)
    return ok({ kind: 'drive#fileList', incompleteSearch: false, files: found.map((one) => fileOf(one, call)) })
  }

  async function createFile(call: Call): Promise<Answer> {
    const file = NewFile.safeParse(await call.request.json())
    if (!file.success) return driveError(400, 'invalid', 'Invalid Value')
    const { name, appProperties } = file.data
    const at = call.now.toISOString()
    const change = {
      kind: 'created',
      spreadsheetId: spreadsheets.nextId(),
      name,
      appProperties,
      owner: account,
      at,
    } as const
    const { spreadsheetId: id } = change
    return { ...ok(fileOf({ id, name, createdTime: at, appProperties, trashed: false }, call)), change }
  }

  function listPermissions(call: Call) {
    return onFile(call, ({ permissions }) =>
      ok({
        kind: 'drive#permissionList',
        permissions: permissions.map((one) => ({ kind: 'drive#permission', ...one })),
      }),
    )
  }

  function createPermission(call: Call) {
    return onFile(call, async ({ id: spreadsheetId }) => {
      const wanted = NewPermission.safeParse(await call.request.json())
      if (!wanted.success || wanted.data.emailAddress.endsWith('@no-account.test')) {
        return driveError(400, 'invalidSharingRequest', 'Bad Request. User message: "Invalid email address."')
      }
      const permission = { id: permissionId(wanted.data.emailAddress), ...wanted.data }
      return {
        ...ok({ kind: 'drive#permission', ...permission }),
        change: { kind: 'shared', spreadsheetId, permission },
      }
    })
  }

  function updatePermission(call: Call) {
    return onFile(call, async ({ id: spreadsheetId, permissions }) => {
      const { role } = NewPermission.pick({ role: true }).parse(await call.request.json())
      const known = permissions.find(({ id }) => id === call.parts[1])
      if (!known) return driveError(404, 'notFound', `Permission not found: ${call.parts[1]}.`)
      const permission = { ...known, role }
      return {
        ...ok({ kind: 'drive#permission', ...permission }),
        change: { kind: 'shared', spreadsheetId, permission },
      }
    })
  }

  function batchUpdate(call: Call) {
    return onSheet(call, async (spreadsheet) => {
      const body = z.strictObject({ requests: SheetRequests }).safeParse(await call.request.json())
      const refusal = body.success ? refusalOf(spreadsheet, body.data.requests) : 'Invalid JSON payload received.'
      if (!body.success || refusal !== null) return sheetsError(400, 'INVALID_ARGUMENT', refusal ?? '')
      const { requests } = body.data
      const replies = requests.map((request) => ('createDeveloperMetadata' in request ? request : {}))
      return {
        ...ok({ spreadsheetId: spreadsheet.id, replies }),
        change: { kind: 'batch', spreadsheetId: spreadsheet.id, requests },
      }
    })
  }

  function getValues(call: Call) {
    return onSheet(call, (spreadsheet) => {
      const range = parseRange(spreadsheet, call.parts[1] ?? '')
      if (range === null) return sheetsError(400, 'INVALID_ARGUMENT', `Unable to parse range: ${call.parts[1]}`)
      const dimension = Dimension.parse(call.url.searchParams.get('majorDimension') ?? undefined)
      return ok(valueRange(spreadsheet, range, dimension))
    })
  }

  function getValuesByFilter(call: Call) {
    return onSheet(call, async (spreadsheet) => {
      const asked = ValuesByFilter.parse(await call.request.json())
      const missing = asked.dataFilters.find(({ gridRange }) => gridRange.sheetId !== 0)
      if (missing) return sheetsError(400, 'INVALID_ARGUMENT', `No grid with id: ${missing.gridRange.sheetId}`)
      const valueRanges = asked.dataFilters.map((filter) => ({
        valueRange: valueRange(spreadsheet, filter.gridRange, asked.majorDimension),
        dataFilters: [filter],
      }))
      return ok({ spreadsheetId: spreadsheet.id, valueRanges })
    })
  }

  function getMark(call: Call) {
    return onSheet(call, ({ marks }) => {
      const mark = marks.get(Number(call.parts[1]))
      if (!mark) return sheetsError(404, 'NOT_FOUND', `No developer metadata with ID ${call.parts[1]}`)
      return ok({ ...mark, location: { ...mark.location, locationType: 'SPREADSHEET' } })
    })
  }
}

const spreadsheetType = 'application/vnd.google-apps.spreadsheet'
const NewFile = z.strictObject({
  name: z.string(),
  mimeType: z.literal(spreadsheetType),
  appProperties: z.record(z.string(), z.string()).default({}),
  parents: z.array(z.string()).optional(),
})
const NewPermission = z.strictObject({
  type: z.literal('user'),
  role: z.enum(['reader', 'commenter', 'writer']),
  emailAddress: z.email(),
})
const ValuesByFilter = z.strictObject({
  dataFilters: z.array(
    z.strictObject({
      gridRange: z.strictObject({
        sheetId: z.int().default(0),
        startRowIndex: z.int().default(0),
        endRowIndex: z.int().optional(),
        startColumnIndex: z.int().default(0),
        endColumnIndex: z.int().optional(),
      }),
    }),
  ),
  majorDimension: Dimension,
})

type FileFields = Pick<SandboxSpreadsheet, 'id' | 'name' | 'createdTime' | 'appProperties' | 'trashed'>

function fileOf({ id, name, createdTime, appProperties, trashed }: FileFields, { url }: Call) {
  const webViewLink = `${url.origin}/google/view/${id}`
  return { kind: 'drive#file', id, name, mimeType: spreadsheetType, createdTime, appProperties, trashed, webViewLink }
}

function ok(body: object): Answer {
  return { reply: Response.json(body) }
}

function sheetsError(code: number, status: string, message: string): Answer {
  return { reply: Response.json({ error: { code, message, status } }, { status: code }) }
}

function driveError(code: number, reason: string, message: string): Answer {
  const errors = [{ domain: 'global', reason, message }]
  return { reply: Response.json({ error: { code, message, errors } }, { status: code }) }
}
