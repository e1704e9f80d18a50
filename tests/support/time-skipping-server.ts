import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type CachePlaces, cachePlaces, putIntoCache } from '../../temporal-config/cache.ts'

/** How to get a time-skipping test server: by the SDK's own download, from an executable, or why there is none. */
export type TimeSkippingServer =
  | { kind: 'download' }
  | { kind: 'executable'; path: string }
  | { kind: 'none'; reason: string }

const version = '1.38.0'
const folderName = `temporal-test-server-${version}`
const executable = 'temporal-test-server'
const mavenMs = 4 * 60_000

const run = promisify(execFile)

/** The first that works: Java with what is in the cache, the SDK's download, Java with what Maven fetches into the cache. */
export async function resolveTimeSkippingServer(places: CachePlaces): Promise<TimeSkippingServer> {
  const hasJava = await succeeds('java', ['-version'])
  for (const folder of hasJava ? cachePlaces(places, folderName) : []) {
    if (await isComplete(folder)) return { kind: 'executable', path: join(folder, executable) }
  }
  if (await canDownload()) return { kind: 'download' }
  if (!hasJava)
    return { kind: 'none', reason: 'the time-skipping test server cannot be downloaded, and there is no Java' }
  try {
    const folder = await putIntoCache(places, folderName, fetchByMaven, isComplete)
    return { kind: 'executable', path: join(folder, executable) }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    return { kind: 'none', reason: `the time-skipping test server cannot be had by download or by Maven (${why})` }
  }
}

async function canDownload(): Promise<boolean> {
  // Loads Temporal's native core, which a run without these tests can do without.
  const { TestWorkflowEnvironment } = await import('@temporalio/testing')
  try {
    const environment = await TestWorkflowEnvironment.createTimeSkipping()
    await environment.teardown()
    return true
  } catch {
    return false
  }
}

async function fetchByMaven(folder: string): Promise<void> {
  await writeFile(join(folder, 'pom.xml'), pom)
  await writeFile(join(folder, executable), wrapper, { mode: 0o755 })
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  await run('mvn', ['--batch-mode', '--quiet', goal, '-DoutputDirectory=lib', '-DincludeScope=runtime'], {
    cwd: folder,
    timeout: mavenMs,
  })
}

/** Only whole folders get into the cache: what is there is complete. */
async function isComplete(folder: string): Promise<boolean> {
  return existsSync(join(folder, 'lib', `temporal-test-server-${version}.jar`)) && existsSync(join(folder, executable))
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    await run(command, args)
    return true
  } catch {
    return false
  }
}

const wrapper = `#!/bin/sh
exec java -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"
`

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>throughline</groupId>
  <artifactId>test-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${version}</version>
    </dependency>
    <!-- Without a logger of its own the server complains into the test output. -->
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`
