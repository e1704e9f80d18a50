import { ProviderError, type SheetReader } from './ports.ts'
import type { SheetWork } from './sheet-filling.ts'

/** Lets everybody in who can be; an address that is refused is thrown only after the others have been let in. */
export async function shareSheet(
  { sheets, signal }: SheetWork,
  spreadsheetId: string,
  readers: readonly SheetReader[],
): Promise<void> {
  let refusal: ProviderError | undefined
  for (const reader of readers) {
    try {
      await sheets.share(spreadsheetId, reader, signal)
    } catch (error) {
      if (!(error instanceof ProviderError) || error.code !== 'invalid_share_address') throw error
      refusal ??= error
    }
  }
  if (refusal) throw refusal
}
