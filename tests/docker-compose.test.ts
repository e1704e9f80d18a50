import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Ajv2019 from 'ajv/dist/2019.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { loadConfig } from '../config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const compose: unknown = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'))
const specification = join(loadConfig().specsDir, 'compose-spec.json')

const isAbsent = !existsSync(specification)
const title = 'docker-compose.yml is valid by the Compose specification'

test.skipIf(isAbsent)(isAbsent ? `${title} (skipped: no compose-spec.json in SPECS_DIR)` : title, () => {
  const ajv = new Ajv2019.default({ strict: false, allErrors: true, logger: false })
  addFormats.default(ajv)
  ajv.addFormat('duration', /^(\d+(us|ms|s|m|h))+$/) // as the Compose specification writes them: 1m30s
  // The specification names its dialect by an address that no validator knows, and parts of itself by the old keyword "id".
  ajv.removeKeyword('id')
  const { $schema: _, ...schema } = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(readFileSync(specification, 'utf8')))
  const validate = ajv.compile(schema)
  validate(compose)
  expect(validate.errors).toBeNull()
})

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      command: z.unknown().optional(),
      depends_on: z.record(z.string(), z.unknown()).optional(),
      environment: z.record(z.string(), z.unknown()).optional(),
      volumes: z.array(z.string()).optional(),
      healthcheck: z.unknown().optional(),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
})

test('services wait for existing ones, data lies in named volumes, long-running ones are checked', () => {
  const { services, volumes } = Compose.parse(compose)
  for (const [name, service] of Object.entries(services)) {
    for (const needed of Object.keys(service.depends_on ?? {})) expect(services, name).toHaveProperty(needed)
    for (const volume of service.volumes ?? []) expect(volumes, name).toHaveProperty(volume.split(':')[0] ?? '')
    expect(service.image, name).toMatch(/:(\d|\$\{\w+:-\d)/)
  }
  for (const name of ['postgres', 'temporal', 'temporal-ui']) expect(services[name]?.healthcheck, name).toBeDefined()
})

test('the history shards are 512: they cannot be changed later', () => {
  expect(Compose.parse(compose).services.temporal?.environment?.NUM_HISTORY_SHARDS).toBe(512)
})

test('the database has room for the locks of many workers, as the embedded one has', () => {
  expect(Compose.parse(compose).services.postgres?.command).toContain('max_locks_per_transaction=256')
})
