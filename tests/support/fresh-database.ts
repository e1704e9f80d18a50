import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { z } from 'zod'
import type { Logins } from '../../db/migrate.ts'
import { askForServer } from './ask-for-server.ts'

export interface FreshDatabase extends Logins, AsyncDisposable {
  drop(): Promise<void>
}

/** Ten seconds' worth. */
const mostTries = 40

const Template = z.object({ ownerUrl: z.string(), appUrl: z.string(), systemUrl: z.string() })

/** A migrated, empty database of its own, in about a tenth of a second. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const template = await askForServer('/template-database', Template)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await asOwner(
    template,
    (sql) => sql`create database ${sql(name)} template ${sql(databaseOf(template.ownerUrl))} strategy wal_log`,
  )
  const drop = () =>
    asOwner(template, async (sql) => {
      // The owner may not send autovacuum away, which is at it for moments.
      for (let tries = 1; ; tries += 1) {
        try {
          return await sql`drop database if exists ${sql(name)} with (force)`
        } catch (error) {
          if (!(error instanceof postgres.PostgresError) || error.code !== '42501' || tries === mostTries) throw error
          await sleep(250)
        }
      }
    })
  return {
    ownerUrl: withDatabase(template.ownerUrl, name),
    appUrl: withDatabase(template.appUrl, name),
    systemUrl: withDatabase(template.systemUrl, name),
    drop,
    [Symbol.asyncDispose]: drop,
  }
}

/** Runs a statement from the database `postgres`: a template that somebody is connected to cannot be copied. */
async function asOwner(template: Logins, statement: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(withDatabase(template.ownerUrl, 'postgres'), { max: 1, onnotice: () => {} })
  try {
    await statement(sql)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1)
}

function withDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}
