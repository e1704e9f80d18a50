/** What a key may be allowed to do: `{resource}:read` or `{resource}:write`, and what reaches people. */
export const permissions = [
  'campaigns:read',
  'campaigns:write',
  'contacts:read',
  'contacts:write',
  'credits:read',
  'messages:read',
  'messages:send',
  'plans:read',
  'plans:write',
  'policy:read',
  'policy:write',
  'prospects:read',
  'scoring-rules:read',
  'scoring-rules:write',
  'senders:read',
  'senders:write',
  'sequences:read',
  'sequences:write',
  'usage:read',
  'usage:write',
] as const
export type Permission = (typeof permissions)[number]
