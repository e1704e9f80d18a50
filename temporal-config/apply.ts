import type { Client } from '@temporalio/client'
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js'
import { applySchedules } from './schedules.ts'
import { searchAttributeKeys } from './search-attributes.ts'

/** Brings a namespace to what this code expects of it: search attributes and schedules. Safe to repeat, changes nothing twice. */
export async function applyTemporalConfig(client: Client): Promise<void> {
  await applySearchAttributes(client)
  await applySchedules(client)
}

async function applySearchAttributes(client: Client): Promise<void> {
  const { operatorService } = client.connection
  const namespace = client.options.namespace
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace })
  const missing = searchAttributeKeys.filter(({ name }) => !(name in (customAttributes ?? {})))
  if (missing.length === 0) return
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(
      missing.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0]),
    ),
  })
}
