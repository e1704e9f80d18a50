import { z } from 'zod'
import type { StoredEvent } from './sandbox-acts.ts'
import { listed, nothing, paging } from './sandbox-forms.ts'
import { pageOf } from './sandbox-lists.ts'
import { missing } from './sandbox-refusals.ts'
import { type Route, route } from './sandbox-routes.ts'

/** What was told, as it was told. */
export function eventRoutes(events: () => readonly StoredEvent[]): Route[] {
  return [
    route(
      'GET /v1/events',
      'events.list',
      z.strictObject({ ...paging, type: z.string().optional(), types: listed(z.string()).optional() }),
      (_, { type, types = type === undefined ? undefined : [type], ...page }) => {
        const found = events().filter((event) => types === undefined || types.some((one) => matches(event.type, one)))
        const list = pageOf('/v1/events', found, page)
        return { ...list, data: list.data.map(whole) }
      },
    ),
    route('GET /v1/events/{id}', 'events.retrieve', nothing, (_, __, id) => {
      const event = events().find((one) => one.id === id)
      if (!event) throw missing('event', id)
      return whole(event)
    }),
  ]
}

/** `invoice.*` means all of them. */
function matches(type: string, wanted: string): boolean {
  return wanted.endsWith('.*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted
}

function whole({ body }: StoredEvent): unknown {
  return JSON.parse(body)
}
