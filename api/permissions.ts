/** What a key may be allowed to do: `{resource}:read` or `{resource}:write`. */
export const permissions = [
  'campaigns:read',
  'campaigns:write',
  'prospects:read',
  'scoring-rules:read',
  'scoring-rules:write',
  'usage:read',
] as const
export type Permission = (typeof permissions)[number]
