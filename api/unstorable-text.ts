import { type InputError, pointerTo } from './problem.ts'

/** Far beyond what any body of ours needs, and far below what whoever walks a body after us could not bear. */
const deepest = 64

/**
 * Where a JSON value holds what we cannot work with: text that PostgreSQL cannot store (NUL characters, halves of surrogate pairs),
 * and lists or objects within more than 64 others.
 */
export function unstorableText(value: unknown, path: readonly PropertyKey[] = []): InputError[] {
  if (typeof value === 'string') {
    if (!value.includes('\0') && value.isWellFormed()) return []
    return [{ pointer: pointerTo(path), detail: 'This text holds characters that are none: NUL, or half of a pair.' }]
  }
  if (typeof value !== 'object' || value === null) return []
  if (path.length === deepest) return [{ pointer: pointerTo(path), detail: `More than ${deepest} levels are nested.` }]
  return Object.entries(value).flatMap(([key, inner]) => unstorableText(inner, [...path, key]))
}
