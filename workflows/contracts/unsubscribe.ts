/** Under what a message's recipient opts out, without signing in: /u/{token}. The token is the message's id, shorter. */

/** The 16 bytes of the id in base64url. */
export function unsubscribeToken(messageId: string): string {
  return Buffer.from(messageId.replaceAll('-', ''), 'hex').toString('base64url')
}

/** Null for what was never a token; every id has one. */
export function messageIdOf(token: string): string | null {
  if (!/^[\w-]{21}[AQgw]$/.test(token)) return null
  const bytes = atob(token.replaceAll('-', '+').replaceAll('_', '/'))
  const hex = Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
