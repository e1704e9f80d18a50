/** What a site's robots.txt says about reading it, after RFC 9309. */
export interface Robots {
  allows(url: URL): boolean
}

interface Rule {
  allow: boolean
  pattern: string
}

/** For a site without a robots.txt. */
export const noRobots: Robots = { allows: () => true }

/** The rules of all groups that name the reader's product token, else of those for everyone. */
export function parseRobots(text: string, productToken: string): Robots {
  const own: Rule[] = []
  const everyones: Rule[] = []
  let isNamed = false
  let groups = new Set<Rule[]>()
  let inAgents = false
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, key = '', value = ''] = /^\s*([a-z-]+)\s*:\s*([^\s#]*)/i.exec(line.slice(0, 2_048)) ?? []
    const field = key.toLowerCase()
    if (field === 'user-agent') {
      if (!inAgents) groups = new Set()
      inAgents = true
      const agent = /^(?:\*|[a-z_-]+)/i.exec(value)?.[0].toLowerCase()
      if (agent === '*') groups.add(everyones)
      if (agent !== productToken.toLowerCase()) continue
      isNamed = true
      groups.add(own)
    } else if (field === 'allow' || field === 'disallow') {
      inAgents = false
      // An empty rule forbids nothing.
      if (value !== '') for (const rules of groups) rules.push({ allow: field === 'allow', pattern: normal(value) })
    }
  }
  return createRobots(isNamed ? own : everyones)
}

function createRobots(rules: readonly Rule[]): Robots {
  return {
    allows({ pathname, search }) {
      if (pathname === '/robots.txt') return true
      const path = normal(pathname + search)
      // The most specific rule decides, and for the site's reader if two are equally so.
      let decided = { allow: true, length: -1 }
      for (const { allow, pattern } of rules) {
        const { length } = pattern
        if (length < decided.length || (length === decided.length && !allow)) continue
        if (matches(pattern, path)) decided = { allow, length }
      }
      return decided.allow
    },
  }
}

/** `*` stands for anything, `$` at the end for the end. Looks each piece up once, so that no pattern makes it slow. */
function matches(pattern: string, path: string): boolean {
  const toTheEnd = pattern.endsWith('$')
  const [first = '', ...pieces] = (toTheEnd ? pattern.slice(0, -1) : pattern).split('*')
  if (!path.startsWith(first)) return false
  let at = first.length
  const last = toTheEnd ? pieces.pop() : undefined
  for (const piece of pieces) {
    const found = path.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  if (!toTheEnd) return true
  return last === undefined ? at === path.length : path.length - last.length >= at && path.endsWith(last)
}

/** One spelling of what RFC 3986 calls the same path. */
function normal(path: string): string {
  return path.replace(/[^\x21-\x7e]+/gu, encodeURIComponent).replace(/%[\da-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : octet.toUpperCase()
  })
}
