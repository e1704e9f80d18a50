import { createHash } from 'node:crypto'

/** Draws lots, always the same ones for the same seed. */
export interface Draws {
  /** A number from `from` up to `to`. */
  between(from: number, to: number): number
  whole(from: number, to: number): number
  /** True in about this share of all draws. */
  chance(share: number): boolean
  shuffled<Item>(items: readonly Item[]): Item[]
}

export function drawsFrom(seed: string): Draws {
  let drawn = 0
  const next = () => createHash('sha256').update(`${seed}/${drawn++}`).digest().readUInt32BE(0) / 2 ** 32
  const between = (from: number, to: number) => from + next() * (to - from)
  return {
    between,
    whole: (from, to) => Math.floor(between(from, to + 1)),
    chance: (share) => next() < share,
    shuffled: (items) =>
      items
        .map((item) => ({ item, rank: next() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
  }
}
