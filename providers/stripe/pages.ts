interface Page<T> {
  data: T[]
  has_more: boolean
}

interface Place {
  limit: number
  starting_after?: string
}

const pageSize = 100

/** A list from its beginning, and no further than so many. */
export function listed<T extends { id: string }>(most: number, turn: (place: Place) => Promise<Page<T>>): Promise<T[]> {
  return readOn({ data: [], has_more: true }, most, turn)
}

/** The rest of a list that came with the object it is of, which shows but the first ten. */
export async function readOn<T extends { id: string }>(
  begun: Page<T> | undefined,
  most: number,
  turn: (place: Place) => Promise<Page<T>>,
): Promise<T[]> {
  const found = [...(begun?.data ?? [])]
  let hasMore = begun?.has_more ?? false
  while (hasMore && found.length < most) {
    const after = found.at(-1)?.id
    const { data, has_more } = await turn({ limit: pageSize, ...(after !== undefined && { starting_after: after }) })
    found.push(...data)
    hasMore = has_more && data.length > 0
  }
  return found
}
