import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from '@temporalio/worker'
import { expect, test } from 'vitest'
import { z } from 'zod'
import * as workflows from '../../workflows/index.ts'
import { workflowBundle } from '../support/campaign-world.ts'

const folder = fileURLToPath(new URL('histories', import.meta.url))
const files = globSync(`${folder}/*.json`).sort()
const bundle = await workflowBundle()

const lesson = `This code would take a running workflow another way than it went. Keep the old way for those that are under way, by
patched(), and record a new history beside the old one: see "Change a running workflow" in CONTRIBUTING.md.`

test.each(files.map((file) => [basename(file), file]))('%s replays on this code', async (_name, file) => {
  const history: unknown = JSON.parse(readFileSync(file, 'utf8'))
  await expect(Worker.runReplayHistory(bundle, history), lesson).resolves.toBeUndefined()
})

const StartedEvent = z.object({
  events: z.array(
    z.object({
      workflowExecutionStartedEventAttributes: z.object({ workflowType: z.object({ name: z.string() }) }).optional(),
    }),
  ),
})

test('every kind of workflow has a recorded history', () => {
  const recorded = files.map((file) => {
    const [started] = StartedEvent.parse(JSON.parse(readFileSync(file, 'utf8'))).events
    return started?.workflowExecutionStartedEventAttributes?.workflowType.name
  })
  expect(new Set(recorded)).toEqual(new Set(Object.keys(workflows)))
})

test.each(files.map((file) => [basename(file), file]))('%s carries ids and decisions, never people', (_name, file) => {
  const texts: string[] = []
  JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) => {
    if (typeof value === 'string') texts.push(key === 'data' ? Buffer.from(value, 'base64').toString() : value)
    return value
  })
  const told = texts.join('\n')
  expect(told).toMatch(
    /prospectCampaign|prospectRescoring|outboxSweep|dripSequence|billingReconciliation|subscriptionLifecycle/,
  ) // what is looked through is readable
  expect(told).not.toMatch(/[\w.]+@[\w-]+\.[a-z]{2,}|\+1\d{10}|https?:|\.test\b|dentist|bakery/i)
})
