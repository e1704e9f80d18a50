import { z } from 'zod'

export const CreditType = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/, 'Give the type in small letters, digits and underscores, at most 40.')
  .meta({ description: 'The type of the credits', example: 'call_seconds' })
