/** The id of the one row that an insert has returned. */
export function rowId(rows: readonly { id?: unknown }[]): string {
  const [row] = rows
  if (typeof row?.id !== 'string') throw new Error('insert returned no row')
  return row.id
}
