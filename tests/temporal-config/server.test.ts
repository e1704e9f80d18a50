import { expect, test } from 'vitest'
import { loadConfig } from '../../config.ts'
import { resolveTemporalServer } from '../../temporal-config/server.ts'
import type { Source } from '../../temporal-config/server-sources.ts'

test('a given server is taken as it is, nothing is searched for', async () => {
  const { result, asked } = await resolve({ TEMPORAL_ADDRESS: 'temporal.example:7233' }, { path: '/usr/bin/temporal' })
  expect(result).toEqual({ kind: 'given' })
  expect(asked).toEqual([])
})

test('a profile of the Temporal configuration counts as a given server', async () => {
  expect((await resolve({ TEMPORAL_PROFILE: 'cloud' }, {})).result).toEqual({ kind: 'given' })
})

test('the first source that works wins, later ones are not asked', async () => {
  const { result, asked, said } = await resolve(
    {},
    { path: undefined, cache: '/cache/temporal', download: '/new/temporal' },
  )
  expect(result).toEqual({ kind: 'command', command: '/cache/temporal' })
  expect(asked).toEqual(['path', 'cache'])
  expect(said).toEqual(['Temporal server: cache (/cache/temporal)'])
})

test('a source that fails is told in one line, and the next one is tried', async () => {
  const { result, said } = await resolve({}, { download: new Error('no route to host'), build: '/cache/temporal' })
  expect(result).toEqual({ kind: 'command', command: '/cache/temporal' })
  expect(said).toEqual([
    'Temporal server: not by download: no route to host',
    'Temporal server: build (/cache/temporal)',
  ])
})

test('when nothing works one message says what to install and why each failed', async () => {
  const failing = resolve(
    {},
    { path: undefined, download: new Error('no route to host'), build: new Error('Go is not installed') },
  )
  await expect(failing).rejects.toThrow(
    /^There is no Temporal server: install .*TEMPORAL_ADDRESS.* Tried download: no route to host; build: Go is not installed\.$/,
  )
})

async function resolve(env: Record<string, string>, finds: Record<string, string | undefined | Error>) {
  const asked: string[] = []
  const said: string[] = []
  const sources = Object.entries(finds).map(
    ([what, found]): Source => ({
      what,
      find() {
        asked.push(what)
        return found instanceof Error ? Promise.reject(found) : Promise.resolve(found)
      },
    }),
  )
  const result = await resolveTemporalServer(loadConfig(env), (line) => said.push(line), sources)
  return { result, asked, said }
}
