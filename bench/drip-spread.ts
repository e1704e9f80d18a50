import type { SequenceDefinition } from '../workflows/contracts/sequences.ts'
import { threeMessages } from './drip-audience.ts'

/** Ten minutes in even parts, by two properties of a person: as many waits as a sequence has room for. */
const slices = 8
const parts = 10
const sliceSeconds = 600 / slices

/**
 * The three messages behind one of 80 waits, which differ by seven and a half seconds each: whoever enters at the same moment is due at any time of the
 * ten minutes after it. A person's wait is chosen by the properties `slice` and `part`.
 */
export function spreadMessages(run: string): SequenceDefinition['steps'] {
  const bySlice = Array.from({ length: slices }, (_, slice) => slice)
  const byPart = Array.from({ length: parts }, (_, part) => part)
  return [
    choice(
      'slice',
      'slice',
      bySlice.map((slice) => `part-${slice}`),
    ),
    ...bySlice.map((slice) =>
      choice(
        `part-${slice}`,
        'part',
        byPart.map((part) => `wait-${slice}-${part}`),
      ),
    ),
    ...bySlice.flatMap((slice) =>
      byPart.map((part) => ({
        key: `wait-${slice}-${part}`,
        type: 'wait' as const,
        for: `PT${Math.round(sliceSeconds * (slice + part / parts))}S`,
        next: 'first',
      })),
    ),
    ...threeMessages(run),
  ]
}

export const spreadProperties = (number: number) => ({
  slice: Math.floor(number / parts) % slices,
  part: number % parts,
})

function choice(key: string, property: string, targets: string[]): SequenceDefinition['steps'][number] {
  const arms = targets.map((next, value) => ({ when: [{ property, is: value }], next }))
  return { key, type: 'branch', arms, else: 'end' }
}
