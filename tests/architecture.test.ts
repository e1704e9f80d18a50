import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Who may import what of ours, by folder; `type` means type-only. The longest matching prefix rules. Packages are not listed: they are
 * judged by what they do, these by who they know.
 */
const mayImport: Record<string, string[]> = {
  'workflows/contracts': ['workflows/contracts'],
  'workflows/contracts/durations.schema.ts': ['workflows/rules/durations.ts'],
  'workflows/rules': ['workflows/rules', 'type workflows/contracts'],
  workflows: ['workflows', 'type activities', 'temporal-config/task-queues.ts', 'temporal-config/search-attributes.ts'],
  activities: ['activities', 'workflows/contracts', 'workflows/rules', 'db'],
  providers: ['own folder', 'activities/ports.ts'],
  db: ['db', 'workflows/contracts'],
  'db/migrate.ts': ['db', 'config.ts'],
  'temporal-config': ['temporal-config', 'db', 'type config.ts'],
  api: [
    'api',
    'activities/ports.ts',
    'workflows/contracts',
    'workflows/rules',
    'type workflows',
    'db',
    'temporal-config',
    'type log.ts',
  ],
  'api/main.ts': ['anything'],
  workers: ['anything'],
  dev: ['anything'],
  tests: ['anything'],
  bench: ['anything'],
  'bench/bare-campaign.ts': ['activities/analysis'],
  'bench/bare-drip.ts': ['db'],
  'bench/bare-billing-webhooks.ts': ['db'],
  'config.ts': ['setting-kinds.ts'],
  'setting-kinds.ts': [],
  'log.ts': [],
  'vitest.config.ts': ['anything'],
}

const lesson = `Imports go one way, so that a change stays where it is made: a story knows no vendor, a provider knows only the port it
fills, a contract knows nobody. If you need something from a folder you may not import, ask which of the two is in the wrong place; pass
it in from a composition root (workers/main.ts, api/main.ts, dev/); or change the table in tests/architecture.test.ts and in
ARCHITECTURE.md, with the reason.`

const files = globSync(
  '{*.ts,{activities,api,bench,db,dev,providers,temporal-config,tests,workers,workflows}/**/*.ts}',
  { cwd: root },
)

interface Import {
  target: string
  typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const source = readFileSync(join(root, file), 'utf8')
  const statements = source.matchAll(/^(?:import|export)\s+(type\s)?([^;'"]*?from\s+)?['"](\.{1,2}\/[^'"]+)['"]/gm)
  const dynamic = source.matchAll(/\bimport\(\s*['"](\.{1,2}\/[^'"]+)['"]\s*\)/g)
  const at = (path: string) => normalize(join(dirname(file), path))
  return [
    ...[...statements].map(([, type, , path]) => ({ target: at(path ?? ''), typeOnly: type !== undefined })),
    ...[...dynamic].map(([, path]) => ({ target: at(path ?? ''), typeOnly: false })),
  ]
}

function ruleFor(file: string): string[] {
  const prefix = Object.keys(mayImport)
    .filter((place) => file === place || file.startsWith(`${place}/`))
    .sort((a, b) => b.length - a.length)[0]
  return (prefix !== undefined && mayImport[prefix]) || []
}

function isAllowed(file: string, { target, typeOnly }: Import): boolean {
  return ruleFor(file).some((rule) => {
    if (rule === 'anything') return true
    if (rule === 'own folder') return target.startsWith(`${file.split('/').slice(0, 2).join('/')}/`)
    const [place, needsType] = rule.startsWith('type ') ? [rule.slice('type '.length), true] : [rule, false]
    return (target === place || target.startsWith(`${place}/`)) && (typeOnly || !needsType)
  })
}

test('every import goes the way that ARCHITECTURE.md draws', () => {
  expect(files.length).toBeGreaterThan(20)
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => !isAllowed(file, imported))
      .map(({ target, typeOnly }) => `${file} imports ${typeOnly ? 'the types of ' : ''}${target}`),
  )
  expect(wrong, lesson).toEqual([])
})

test('config.ts is the only reader of the environment', () => {
  const readers = files.filter((file) => /\bprocess\.env\b/.test(readFileSync(join(root, file), 'utf8')))
  expect(readers.filter((file) => !file.startsWith('tests/') && file !== 'vitest.config.ts')).toEqual(['config.ts'])
})

test('what runs inside a workflow loads neither schemas nor time zones', () => {
  const inWorkflow = new Set<string>()
  const visit = (file: string) => {
    if (inWorkflow.has(file)) return
    inWorkflow.add(file)
    for (const { target, typeOnly } of importsOf(file)) if (!typeOnly) visit(target)
  }
  visit('workflows/index.ts')
  expect([...inWorkflow].filter((file) => file.endsWith('.schema.ts'))).toEqual([])
  // By these files zones are read, and by these packages.
  expect([...inWorkflow].filter((file) => /\/(?:clocks|zones|area-codes)\.ts$/.test(file))).toEqual([])
  const packages = /\b(?:from|import)\s*\(?['"](?:temporal-polyfill|libphonenumber-js|zod)\b/
  expect([...inWorkflow].filter((file) => packages.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
})

test('no source file has more than 400 lines', () => {
  const long = files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 400)
  expect(long).toEqual([])
})
