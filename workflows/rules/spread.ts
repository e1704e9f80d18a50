/** A place in [0, 1) that an id always has: many ids are spread evenly (FNV-1a, 32 bit, http://www.isthe.com/chongo/tech/comp/fnv/). */
export function spreadOf(id: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash / 2 ** 32
}
