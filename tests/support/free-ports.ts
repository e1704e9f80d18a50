import { createServer, type Server } from 'node:net'
import type { Setting } from '../../config.ts'

/** Below the ports that systems give to outgoing connections: one of those could take a port while its owner is being restarted. */
const lowest = 20_000
const highest = 32_000

/** Ports of this machine that nothing listens on at the moment, each another. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

/** Every port that a system of its own listens on, as settings. */
const portSettings = [
  'API_PORT',
  'POSTGRES_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'WORKER_METRICS_PORT',
  'SANDBOX_PORT',
  'SANDBOX_PROVIDERS_PORT',
  'SANDBOX_SITES_PORT',
  'SANDBOX_SITES_TLS_PORT',
] satisfies Setting[]

/** Settings by which a system listens on ports that nobody else has. */
export async function ownPorts(): Promise<Partial<Record<Setting, string>>> {
  const ports = await freePorts(portSettings.length)
  return Object.fromEntries(portSettings.map((name, index) => [name, String(ports[index])]))
}
