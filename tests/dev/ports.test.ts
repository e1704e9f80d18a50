import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { assertPortsAreFree } from '../../dev/ports.ts'
import { freePorts, portOf } from '../support/free-ports.ts'

const host = '127.0.0.1'

test('a port in use is refused with the setting to change', async () => {
  const server = createServer().listen(0, host)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const [free = 0] = await freePorts(1)
  const check = assertPortsAreFree([
    { setting: 'SANDBOX_PORT', host, port: free },
    { setting: 'API_PORT', host, port: portOf(server) },
  ])
  await expect(check).rejects.toThrow(
    `Already in use: port ${portOf(server)}. Stop what listens there, or choose another with API_PORT=... npm start`,
  )
})

test('two settings with the same port are refused by their names', async () => {
  const check = assertPortsAreFree([
    { setting: 'API_PORT', host, port: 3000 },
    { setting: 'SANDBOX_PORT', host, port: 3000 },
  ])
  await expect(check).rejects.toThrow('API_PORT and SANDBOX_PORT are both 3000: choose another for one of them')
})

test('free ports are taken note of and left free', async () => {
  const [one = 0, two = 0] = await freePorts(2)
  const uses = [
    { setting: 'API_PORT', host, port: one } as const,
    { setting: 'SANDBOX_PORT', host, port: two } as const,
  ]
  await assertPortsAreFree(uses)
  await expect(assertPortsAreFree(uses)).resolves.toBeUndefined()
})
