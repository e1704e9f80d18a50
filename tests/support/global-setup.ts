import { createServer, type ServerResponse } from 'node:http'
import type { TestProject } from 'vitest/node'
import { portOf } from './free-ports.ts'
import { clearRunFolder, openRunFolder } from './run-folder.ts'
import { createTestServers } from './test-servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files, each a process of its own, ask for the servers of the run. */
    testServersUrl: string
  }
}

/** Gives test files the servers of the run on demand, and stops them when the run ends. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await openRunFolder()
  const servers = await createTestServers(folder, (line) => process.stdout.write(`${line}\n`))
  const answers: Record<string, () => Promise<unknown>> = {
    '/template-database': () => servers.templateDatabase(),
    '/temporal': () => servers.temporal(),
    '/time-skipping': () => servers.timeSkipping(),
  }
  const desk = createServer((request, response) => void answer(answers[request.url ?? ''], response))
  await new Promise<void>((resolve) => desk.listen(0, '127.0.0.1', resolve))
  project.provide('testServersUrl', `http://127.0.0.1:${portOf(desk)}`)

  return async () => {
    desk.closeAllConnections()
    desk.close()
    await clearRunFolder(folder)
  }
}

async function answer(start: (() => Promise<unknown>) | undefined, response: ServerResponse): Promise<void> {
  try {
    if (start === undefined) throw new Error('there is no such server')
    response.end(JSON.stringify(await start()))
  } catch (error) {
    response.writeHead(500).end(error instanceof Error ? error.message : String(error))
  }
}
