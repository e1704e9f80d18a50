import { drive_v3 } from 'googleapis/build/src/apis/drive/v3.js'
import { sheets_v4 } from 'googleapis/build/src/apis/sheets/v4.js'
import { z } from 'zod'
import { ProviderError, type SheetExport, type Spreadsheet } from '../../activities/ports.ts'
import { type GoogleSettings, openSession } from './session.ts'
import { appendRequests, keyColumn, keyTitle, layoutRequests, topLeftCell } from './sheet-requests.ts'

/** The property of a file by which it is found again; only this application's project sees it. */
const markerProperty = 'throughlineExport'

/** Google Sheets and Drive, as a service account. `folderId`: where spreadsheets are made, such as a folder of a shared drive. */
export function createGoogleSheets(settings: GoogleSettings & { folderId?: string | undefined }): SheetExport {
  const session = openSession(settings)
  const google = { auth: session.auth, retry: false }
  const { files, permissions } = new drive_v3.Drive(google)
  const { spreadsheets } = new sheets_v4.Sheets(google)

  return {
    async findSpreadsheet(marker, signal) {
      const found = await session.call({ effect: 'repeatable' }, signal, (options) =>
        files.list(
          {
            q: `appProperties has { key='${markerProperty}' and value='${marker}' } and trashed = false`,
            // Should there be two, everybody takes the same.
            orderBy: 'createdTime',
            fields: 'files(id,webViewLink)',
            supportsAllDrives: true,
            includeItemsFromAllDrives: true,
          },
          options,
        ),
      )
      const [first] = parsed(FileList, found).files
      return first ? spreadsheetOf(first) : null
    },

    async createSpreadsheet({ title, marker }, signal) {
      const created = await session.call({ effect: 'once', rejects: { 404: 'folder_not_found' } }, signal, (options) =>
        files.create(
          {
            requestBody: {
              name: title,
              mimeType: 'application/vnd.google-apps.spreadsheet',
              appProperties: { [markerProperty]: marker },
              ...(settings.folderId !== undefined && { parents: [settings.folderId] }),
            },
            fields: 'id,webViewLink',
            supportsAllDrives: true,
          },
          options,
        ),
      )
      return spreadsheetOf(parsed(File, created, 'unconfirmed'))
    },

    async prepare(spreadsheetId, columns, signal) {
      // Sheets first: of a file that may not be seen, Drive says that it does not exist.
      const cells = await session.call(onTheTab, signal, (options) =>
        spreadsheets.values.batchGetByDataFilter(
          { spreadsheetId, requestBody: { dataFilters: [{ gridRange: topLeftCell }] } },
          options,
        ),
      )
      const { trashed } = parsed(
        TrashedFile,
        await session.call(onTheFile, signal, (options) =>
          files.get({ fileId: spreadsheetId, fields: 'trashed', supportsAllDrives: true }, options),
        ),
      )
      if (trashed) throw new ProviderError('google', 'rejected', 'spreadsheet_not_found')
      const [title] = columnOf(cells)
      if (title === keyTitle) return
      if (title !== undefined && title !== '') throw rearranged()
      await session.call(onTheTab, signal, (options) =>
        spreadsheets.batchUpdate({ spreadsheetId, requestBody: { requests: layoutRequests(columns) } }, options),
      )
    },

    async readKeys(spreadsheetId, signal) {
      const cells = await session.call(onTheTab, signal, (options) =>
        spreadsheets.values.batchGetByDataFilter(
          { spreadsheetId, requestBody: { dataFilters: [{ gridRange: keyColumn }], majorDimension: 'COLUMNS' } },
          options,
        ),
      )
      const [title, ...keys] = columnOf(cells)
      if (title !== keyTitle) throw rearranged()
      return new Set(keys)
    },

    async appendRows(spreadsheetId, chunk, signal) {
      try {
        await session.call({ ...onTheTab, effect: 'once' }, signal, (options) =>
          spreadsheets.batchUpdate({ spreadsheetId, requestBody: { requests: appendRequests(chunk) } }, options),
        )
      } catch (error) {
        const isRefused = error instanceof ProviderError && error.code === 'sheet_rearranged'
        if (!isRefused || !(await hasChunk(spreadsheetId, chunk.number, signal))) throw error
      }
    },

    async share(spreadsheetId, reader, signal) {
      const known = await permissionOf(spreadsheetId, reader.emailAddress, signal)
      if (known && roles.indexOf(known.role) >= roles.indexOf(reader.role)) return
      await session.call(
        { effect: 'repeatable', rejects: { 400: 'invalid_share_address', 404: 'no_access' } },
        signal,
        (options) =>
          known
            ? permissions.update(
                {
                  fileId: spreadsheetId,
                  permissionId: known.id,
                  requestBody: { role: reader.role },
                  supportsAllDrives: true,
                },
                options,
              )
            : permissions.create(
                {
                  fileId: spreadsheetId,
                  requestBody: { type: 'user', ...reader },
                  // An address without a Google account can only be let in by message.
                  sendNotificationEmail: true,
                  supportsAllDrives: true,
                },
                options,
              ),
      )
    },
  }

  /** Whether the chunk of this number is in the sheet: its mark is made with its rows or not at all. */
  async function hasChunk(spreadsheetId: string, metadataId: number, signal: AbortSignal): Promise<boolean> {
    try {
      await session.call({ effect: 'repeatable' }, signal, (options) =>
        spreadsheets.developerMetadata.get({ spreadsheetId, metadataId }, options),
      )
      return true
    } catch (error) {
      if (error instanceof ProviderError && error.code === 'spreadsheet_not_found') return false
      throw error
    }
  }

  async function permissionOf(fileId: string, emailAddress: string, signal: AbortSignal) {
    const list = await session.call(onTheFile, signal, (options) =>
      permissions.list(
        { fileId, fields: 'permissions(id,role,emailAddress)', pageSize: 100, supportsAllDrives: true },
        options,
      ),
    )
    const wanted = emailAddress.toLowerCase()
    return parsed(PermissionList, list).permissions.find((one) => one.emailAddress?.toLowerCase() === wanted)
  }
}

// Our requests are well formed: what is bad about one is that its tab is not there.
const onTheTab = { effect: 'repeatable', rejects: { 400: 'sheet_rearranged' } } as const
// Sheets has said before that the file exists.
const onTheFile = { effect: 'repeatable', rejects: { 404: 'no_access' } } as const

/** Each may do what those before it may. */
const roles: readonly string[] = ['reader', 'commenter', 'writer', 'fileOrganizer', 'organizer', 'owner']

const File = z.object({ id: z.string(), webViewLink: z.string() })
const FileList = z.object({ files: z.array(File).default([]) })
const TrashedFile = z.object({ trashed: z.boolean().default(false) })
const PermissionList = z.object({
  permissions: z.array(z.object({ id: z.string(), role: z.string(), emailAddress: z.string().optional() })).default([]),
})
const ValueRanges = z.object({
  valueRanges: z.array(z.object({ valueRange: z.object({ values: z.array(z.array(z.unknown())).optional() }) })),
})

function spreadsheetOf({ id, webViewLink }: z.infer<typeof File>): Spreadsheet {
  return { id, url: webViewLink }
}

/** The values of the one column that was asked for. */
function columnOf(answer: unknown): string[] {
  const [range] = parsed(ValueRanges, answer).valueRanges
  return (range?.valueRange.values?.[0] ?? []).map(String)
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown, outcome: 'retry' | 'unconfirmed' = 'retry'): T {
  const result = schema.safeParse(answer)
  if (!result.success) throw new ProviderError('google', outcome, 'unexpected_answer')
  return result.data
}

function rearranged(): ProviderError {
  return new ProviderError('google', 'rejected', 'sheet_rearranged')
}
