import { inspect } from 'node:util'
import { ProviderError } from '../../activities/ports.ts'

/** Of a call that is to fail. */
export async function failureOf(call: Promise<unknown>): Promise<ProviderError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ProviderError)) throw new Error(`it came to ${inspect(error)}`)
  return error
}
