import { randomUUID } from 'node:crypto'
import type { ApiClient } from '../../dev/api-client.ts'
import { eventually } from '../support/eventually.ts'

interface Portion {
  contactIds: readonly string[]
  isList: boolean
}

const lists = 5
/** A request that died with the API keeps its key for a minute. */
const patience = { timeout: 150_000, interval: 500 }

/** Lets people into a sequence in so many portions, some as lists and the others one by one. */
export function createEntry(api: ApiClient, sequenceId: string, contactIds: readonly string[], count: number) {
  const portions = portionsOf(contactIds, count)
  const requests: Promise<unknown>[] = []
  return {
    /** Begins to let the next portion in; nothing when all are. */
    next(): void {
      const { contactIds: whole = [], isList = false } = portions.shift() ?? {}
      const bodies = isList ? [{ contactIds: whole }] : whole.map((contactId) => ({ contactId }))
      for (const body of bodies) {
        const request = enrol(body)
        request.catch(() => {}) // whoever waits for all of them is told
        requests.push(request)
      }
    },

    /** Lets in whoever is left, and resolves when everybody is. */
    async end(): Promise<void> {
      while (portions.length > 0) this.next()
      await Promise.all(requests)
    },
  }

  /** The same request again and again until it is answered, whoever was killed over it. */
  function enrol(body: object): Promise<unknown> {
    const key = randomUUID()
    return eventually(() => api.post(`/sequences/${sequenceId}/enrolments`, body, key), patience)
  }
}

/** Half of them in lists, in between the others one by one. */
function portionsOf(contactIds: readonly string[], count: number): Portion[] {
  const half = Math.ceil(contactIds.length / 2)
  const everyNth = Math.max(2, Math.ceil(count / lists))
  const inLists = Math.ceil(count / everyNth)
  const listed = partsOf(contactIds.slice(0, half), inLists)
  const single = partsOf(contactIds.slice(half), count - inLists)
  return Array.from({ length: count }, (_, index) => {
    const isList = index % everyNth === 0
    return { contactIds: (isList ? listed : single).shift() ?? [], isList }
  })
}

function partsOf<Item>(items: readonly Item[], count: number): Item[][] {
  const share = (part: number) => Math.round((part / count) * items.length)
  return Array.from({ length: count }, (_, part) => items.slice(share(part), share(part + 1)))
}
