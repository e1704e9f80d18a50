import { createServer } from 'node:net'
import type { Setting } from '../config.ts'

export interface PortUse {
  setting: Setting
  host: string
  port: number
}

/** Throws, naming the settings to change, when two of the ports are one or another program listens on any of them. */
export async function assertPortsAreFree(uses: readonly PortUse[]): Promise<void> {
  for (const [index, { setting, port }] of uses.entries()) {
    const other = uses.slice(0, index).find((earlier) => earlier.port === port)
    if (other) throw new Error(`${other.setting} and ${setting} are both ${port}: choose another for one of them`)
  }
  const problems = await Promise.all(uses.map(async (use) => ({ use, code: await listeningFails(use) })))
  const taken = problems.filter(({ code }) => code !== undefined)
  if (taken.length === 0) return
  const list = taken
    .map(({ use, code }) => (code === 'EADDRINUSE' ? `${use.port}` : `${use.port} (${code})`))
    .join(', ')
  const settings = taken.map(({ use }) => `${use.setting}=...`).join(' ')
  throw new Error(`Already in use: port ${list}. Stop what listens there, or choose another with ${settings} npm start`)
}

function listeningFails({ host, port }: PortUse): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}
