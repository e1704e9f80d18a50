import { z } from 'zod'
import type { ApiClient } from './api-client.ts'

const byReason = z.record(z.string(), z.number())
const Funnel = z.object({
  totals: z.object({
    enrolled: z.number(),
    underWay: z.number(),
    completed: z.number(),
    held: byReason,
    exited: byReason,
  }),
  steps: z.array(
    z.object({
      key: z.string(),
      type: z.string().nullable(),
      entered: z.number(),
      sent: z.number(),
      delivered: z.number(),
      opened: z.number(),
      clicked: z.number(),
      replied: z.number(),
      bounced: z.number(),
      exited: byReason,
    }),
  ),
})

/** What became of people and messages at each step of a sequence. */
export type Funnel = z.infer<typeof Funnel>

export async function readFunnel(api: ApiClient, sequenceId: string): Promise<Funnel> {
  return Funnel.parse(await api.get(`/sequences/${sequenceId}/stats`))
}

export function sumOf({ steps }: Funnel, column: Column): number {
  return steps.reduce((sum, step) => sum + step[column], 0)
}

type Column = (typeof columns)[number]
const columns = ['entered', 'sent', 'delivered', 'opened', 'clicked', 'replied', 'bounced'] as const

/** The funnel in lines, a step each. */
export function funnelTable({ steps }: Funnel): string[] {
  const head = ['step', 'type', ...columns, 'left here'] as const
  const rows = steps.map((step) => [
    step.key,
    step.type ?? '',
    // Only messages are sent; a nought elsewhere would say that something is missing.
    ...columns.map((column) => (step.type === 'message' || column === 'entered' ? String(step[column]) : '')),
    Object.entries(step.exited)
      .map(([reason, people]) => `${reason} ${people}`)
      .join(', '),
  ])
  const table = [[...head], ...rows]
  const widths = head.map((_, index) => Math.max(...table.map((row) => row[index]?.length ?? 0)))
  const isText = (index: number) => index < 2 || index === head.length - 1
  return table.map((row) =>
    row
      .map((cell, index) => (isText(index) ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
