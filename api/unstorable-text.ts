import { type InputError, pointerTo } from './problem.ts'

/** Far beyond what any body of ours needs, and far below what whoever walks a body after us could not bear. */
const deepest = 64

/**
 * Where a JSON value holds what we cannot work with: text that PostgreSQL cannot store (NUL characters, halves of surrogate pairs), names of
 * that kind or `__proto__`, which readers after us would drop in silence, and lists or objects within more than 64 others.
 */
export function unstorableText(value: unknown, path: readonly PropertyKey[] = []): InputError[] {
  if (typeof value === 'string') {
    if (isStorable(value)) return []
    return [{ pointer: pointerTo(path), detail: 'This text holds characters that are none: NUL, or half of a pair.' }]
  }
  if (typeof value !== 'object' || value === null) return []
  if (path.length === deepest) return [{ pointer: pointerTo(path), detail: `More than ${deepest} levels are nested.` }]
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key]
    if (isStorable(key) && key !== '__proto__') return unstorableText(inner, here)
    return [{ pointer: pointerTo(here).toWellFormed(), detail: 'Nothing can have this name.' }]
  })
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}
