import { type InputError, pointerTo } from './problem.ts'

/** Where a JSON value holds text that PostgreSQL cannot store: NUL characters, and halves of surrogate pairs. */
export function unstorableText(value: unknown, path: readonly PropertyKey[] = []): InputError[] {
  if (typeof value === 'string') {
    if (!value.includes('\0') && value.isWellFormed()) return []
    return [{ pointer: pointerTo(path), detail: 'This text holds characters that are none: NUL, or half of a pair.' }]
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => unstorableText(inner, [...path, key]))
}
