interface ScoreSpread {
  scored: number
  /** To one decimal; null without prospects. */
  average: number | null
  /** From 0 on, each as wide as wanted; the last one ends at 100, which it includes. */
  bands: { from: number; to: number; prospects: number }[]
}

/** How prospects are spread over the scores from 0 to 100. `bandWidth` divides 100. */
export function scoreSpread(counts: readonly { score: number; prospects: number }[], bandWidth: number): ScoreSpread {
  const scored = sum(counts.map(({ prospects }) => prospects))
  const points = sum(counts.map(({ score, prospects }) => score * prospects))
  const bands = Array.from({ length: 100 / bandWidth }, (_, band) => {
    const from = band * bandWidth
    const to = from + bandWidth === 100 ? 100 : from + bandWidth - 1
    const within = counts.filter(({ score }) => score >= from && score <= to)
    return { from, to, prospects: sum(within.map(({ prospects }) => prospects)) }
  })
  return { scored, average: scored === 0 ? null : Math.round((10 * points) / scored) / 10, bands }
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
