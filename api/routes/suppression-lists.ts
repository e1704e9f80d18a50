import { z } from 'zod'
import { suppressAddresses } from '../../db/suppressing.ts'
import type { Handover } from '../handover.ts'
import { type Endpoint, route } from '../route.ts'
import { addressWanted, readAddress, suppressionFields } from './suppression-definition.ts'

const mostAddresses = 1_000

/** Of one transaction: each address and each contact that has it is a lock in the memory that all of the database shares. */
const batchSize = 50

const NewSuppressions = z
  .strictObject({
    addresses: z.array(z.string().max(320)).min(1).max(mostAddresses),
    ...suppressionFields,
  })
  .meta({ id: 'NewSuppressions' })

const Line = z.union([
  z.strictObject({ index: z.int(), id: z.uuid(), created: z.boolean() }),
  z.strictObject({ index: z.int(), errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })) }),
])
type Line = z.infer<typeof Line>

const SavedSuppressions = z
  .strictObject({
    created: z.int(),
    failed: z.int(),
    lines: z.array(Line).meta({ description: 'What became of each address, in their order' }),
  })
  .meta({ id: 'SavedSuppressions' })

export function suppressionListRoutes({ handover }: { handover: Pick<Handover, 'begin'> }): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/suppressions/list',
      permission: 'contacts:write',
      tag: 'Suppressions',
      summary: 'Suppress many addresses',
      description: `Up to ${mostAddresses} of one channel, each as if by itself: what is no address is reported, the others are suppressed. A request
that fails on the way has suppressed some; send it again.`,
      body: NewSuppressions,
      example: { addresses: ['ann@example.com', 'ben@example.com'], channel: 'email', reason: 'opt_out' },
      bodyLimit: 500_000,
      success: { status: 200, description: 'What became of each address', schema: SavedSuppressions },
      async handler({ body: { addresses, channel, ...said }, caller, requestId, now, as }) {
        const read = addresses.map((text, index) => ({ index, address: readAddress(channel, text) }))
        const lines: Line[] = read
          .filter(({ address }) => address === null)
          .map(({ index }) => ({ index, errors: [{ pointer: '', detail: addressWanted(channel) }] }))
        const good = read.flatMap(({ index, address }) => (address === null ? [] : [{ index, address }]))
        for (let from = 0; from < good.length; from += batchSize) {
          const batch = good.slice(from, from + batchSize)
          const wanted = batch.map(({ address }) => ({
            organisationId: caller.organisationId,
            channel,
            address,
            ...said,
            occurredAt: now,
            actor: `key:${caller.keyId}`,
            sourceKey: 'suppression',
          }))
          const suppressed = await as((tx) => suppressAddresses(tx, wanted, { requestId, now }))
          for (const workflowId of new Set(suppressed.flatMap(({ workflowIds }) => workflowIds)))
            handover.begin(workflowId)
          for (const [place, { id, isNew }] of suppressed.entries()) {
            lines.push({ index: batch[place]?.index ?? 0, id, created: isNew })
          }
        }
        lines.sort((one, other) => one.index - other.index)
        const saved = lines.filter((line) => 'created' in line)
        const created = saved.filter((line) => line.created).length
        return { body: { created, failed: lines.length - saved.length, lines } }
      },
    }),
  ]
}
