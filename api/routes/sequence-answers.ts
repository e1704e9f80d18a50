import { z } from 'zod'
import type { Sequence as SequenceRow, SequenceVersion as VersionRow } from '../../db/sequences.ts'
import { SequenceDefinition } from '../../workflows/contracts/sequences.schema.ts'
import { sequenceStatuses } from '../../workflows/contracts/sequences.ts'

export const SequenceParams = z.strictObject({ id: z.uuid().toLowerCase() })

export const SequenceName = z.string().trim().min(1).max(200)

export const Sequence = z
  .strictObject({
    id: z.uuid(),
    name: SequenceName,
    status: z.enum(sequenceStatuses).meta({
      description: '`draft`: nobody enters yet. `paused`: nobody enters, and nothing is sent. `archived`: for good.',
    }),
    version: z.int().min(1).meta({ description: 'The newest, which people enter' }),
    actor: z.string(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Sequence' })

export const SequenceWithDefinition = Sequence.extend({
  definition: SequenceDefinition.meta({ description: 'The newest version' }),
}).meta({ id: 'SequenceWithDefinition' })

/** A version as lists show it. */
export const SequenceVersion = z
  .strictObject({ version: z.int().min(1), actor: z.string(), createdAt: z.iso.datetime() })
  .meta({ id: 'SequenceVersion' })

export const VersionWithDefinition = SequenceVersion.extend({ definition: SequenceDefinition }).meta({
  id: 'SequenceVersionWithDefinition',
})

export function sequenceAnswer({ createdAt, updatedAt, ...row }: SequenceRow): z.input<typeof Sequence> {
  return { ...row, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() }
}

export function versionAnswer({
  version,
  actor,
  createdAt,
}: Pick<VersionRow, 'version' | 'actor' | 'createdAt'>): z.input<typeof SequenceVersion> {
  return { version, actor, createdAt: createdAt.toISOString() }
}

export const sequencePath = (id: string) => `/api/v1/sequences/${id}`
