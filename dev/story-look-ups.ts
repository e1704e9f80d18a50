import type { Config } from '../config.ts'
import { connectTemporal } from '../temporal-config/connection.ts'

type Temporal = ReturnType<typeof connectTemporal>

/** The newest run of a story, as Temporal has it. */
export function lookUpStory(
  { temporal }: Config,
  workflowId: string,
): Promise<{ runId: string; historyEvents: number }> {
  return withTemporal(temporal, async (client) => {
    const { runId, historyLength } = await client.workflow.getHandle(workflowId).describe()
    return { runId, historyEvents: historyLength }
  })
}

/** The stories about a subject, the oldest first. One that has just begun may not be listed yet. */
export function storiesAbout({ temporal }: Config, subjectId: string): Promise<string[]> {
  return withTemporal(temporal, async (client) => {
    const stories: { workflowId: string; startTime: Date }[] = []
    for await (const story of client.workflow.list({ query: `SubjectId = '${subjectId}'` })) stories.push(story)
    stories.sort((a, b) => a.startTime.getTime() - b.startTime.getTime())
    return [...new Set(stories.map(({ workflowId }) => workflowId))]
  })
}

async function withTemporal<T>(settings: Config['temporal'], work: (client: Temporal) => Promise<T>): Promise<T> {
  const client = connectTemporal(settings)
  try {
    return await work(client)
  } finally {
    await client.connection.close()
  }
}
