import type { z } from 'zod'
import type { Act } from './sandbox-acts.ts'
import { nothing } from './sandbox-forms.ts'
import { wrongParameters } from './sandbox-refusals.ts'
import type { Kind } from './sandbox-store.ts'

/** What the API can be asked for. */
export interface Route {
  method: string
  path: RegExp
  operation: string
  /** Reads the parameters; throws a Refusal before anything is begun. */
  prepare(given: unknown): (act: Act, id: string) => unknown
}

/** `line` as in 'POST /v1/customers/{id}'; `answer` returns the object. */
export function route<S extends z.ZodType>(
  line: string,
  operation: string,
  parameters: S,
  answer: (act: Act, given: z.output<S>, id: string) => unknown,
): Route {
  const [method = '', path = ''] = line.split(' ')
  return {
    method,
    path: new RegExp(`^${path.replace(/\{id\}/, '([\\w-]+)')}$`),
    operation,
    prepare(given) {
      const { data, error } = parameters.safeParse(given)
      if (error) throw wrongParameters(error)
      return (act, id) => answer(act, data, id)
    },
  }
}

/** An object as it is, by its id. */
export function retrieval(line: string, operation: string, kind: Kind): Route {
  return route(line, operation, nothing, (act, _, id) => act.need(kind, id))
}
