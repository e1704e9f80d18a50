import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { isDatabaseAway } from '../../db/availability.ts'
import { connectDatabase } from '../../db/client.ts'
import { startPostgres, volatileSettings } from '../../dev/postgres.ts'
import { freePorts } from '../support/free-ports.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('a frozen database is given up as one that is away, and used again once it answers', async () => {
  const [port = 0] = await freePorts(1)
  const server = await startPostgres({ dataDir: await temporaryFolder(), port, settings: volatileSettings })
  onTestFinished(() => server.stop())
  const patience = { transactionMs: 2_000, pingMs: 100 } // the first must also be enough to connect
  const database = connectDatabase(server.ownerUrl, { name: 'test', poolSize: 1, patience })
  onTestFinished(() => database.close())
  const backend = () =>
    database.as(randomUUID(), async (tx) => {
      const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
      return row?.pid ?? 0
    })

  const pid = await backend()
  process.kill(pid, 'SIGSTOP')
  onTestFinished(() => void process.kill(pid, 'SIGCONT'))
  for (const ask of [backend, database.ping]) {
    const error: unknown = await ask().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'DatabaseSilent' })
    expect(isDatabaseAway(error)).toBe(true)
  }
  process.kill(pid, 'SIGCONT')
  await expect.poll(() => backend().catch(() => 0)).toBe(pid)
})
