import { z } from 'zod'
import { Fault } from './faults.ts'
import { LedgerQuery, MessageQuery } from './ledger.ts'
import type { World } from './world.ts'

const ClockChange = z.union([
  z.strictObject({ advanceSeconds: z.number().min(-1e10).max(1e10) }),
  z.strictObject({ now: z.iso.datetime({ offset: true }) }),
])
const EventRequest = z.looseObject({ provider: z.string(), type: z.string() })

/** The sandbox's own surface, for tests and for whoever wants to see a failure. */
export async function control(world: World, request: Request): Promise<Response> {
  try {
    return await route(world, request)
  } catch (error) {
    if (error instanceof z.ZodError) return Response.json(invalidInput(error), { status: 400 })
    if (error instanceof SyntaxError) return Response.json({ error: 'the body is not JSON' }, { status: 400 })
    throw error
  }
}

async function route(world: World, request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  switch (`${request.method} ${pathname}`) {
    case 'GET /_sandbox/requests':
      return Response.json(world.findRequests(LedgerQuery.parse(Object.fromEntries(searchParams))))
    case 'GET /_sandbox/messages': {
      const { provider, ...query } = MessageQuery.parse(Object.fromEntries(searchParams))
      const page = world.findMessages(provider, query)
      return page ? Response.json(page) : Response.json({ error: `${provider} takes no messages` }, { status: 422 })
    }
    case 'GET /_sandbox/faults':
      return Response.json({ data: world.listFaults() })
    case 'POST /_sandbox/faults': {
      const fault = knownTarget(world).parse(await request.json())
      world.addFault(fault)
      return Response.json(fault, { status: 201 })
    }
    case 'DELETE /_sandbox/faults':
      world.liftFaults()
      return new Response(null, { status: 204 })
    case 'POST /_sandbox/clock': {
      const change = ClockChange.parse(await request.json())
      const isStep = 'advanceSeconds' in change
      world.setClock(isStep ? new Date(world.now().getTime() + change.advanceSeconds * 1000) : new Date(change.now))
      return Response.json({ now: world.now().toISOString() })
    }
    case 'POST /_sandbox/events': {
      const { provider, ...event } = EventRequest.parse(await request.json())
      if (world.happen(provider, event)) return new Response(null, { status: 204 })
      return Response.json({ error: `${provider} has no events in this sandbox` }, { status: 422 })
    }
    case 'DELETE /_sandbox':
      world.reset()
      return new Response(null, { status: 204 })
    default:
      return Response.json({ error: `there is no ${request.method} ${pathname} here` }, { status: 404 })
  }
}

/** A misspelt target would wait in silence for a request that never comes. */
function knownTarget({ tenantOf }: World) {
  return Fault.superRefine(({ provider, operation }, context) => {
    const tenant = tenantOf.get(provider)
    if (tenant === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['provider'],
        message: `must be one of: ${[...tenantOf.keys()].join(', ')}`,
      })
    } else if (operation !== undefined && !tenant.operations.includes(operation)) {
      context.addIssue({
        code: 'custom',
        path: ['operation'],
        message: `must be one of: ${tenant.operations.join(', ')}`,
      })
    }
  })
}

function invalidInput({ issues }: z.ZodError) {
  const errors = issues.map(({ path, message }) => ({ pointer: `/${path.join('/')}`, detail: message }))
  return { error: 'invalid input', errors }
}
