/** How many batches of sites one campaign has under way. */
export const readingLanes = 4

/** Runs `work` for 0 to count - 1, at most `lanes` at a time, in order. Rejects with the first failure. */
export async function inLanes(lanes: number, count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await work(index)
  }
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane))
}
