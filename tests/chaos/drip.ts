import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Setting } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { ApiClient } from '../../dev/api-client.ts'
import { eventually } from '../support/eventually.ts'
import { type WholeSystem, wholeSystem } from '../support/whole-system.ts'
import { drawsFrom } from './draws.ts'
import { createEntry } from './drip-entry.ts'
import { definitionFor, drawPeople, leaves, type Person } from './drip-people.ts'
import { dripRows } from './drip-rows.ts'
import { type DripStormSize, dripStorm } from './drip-storm.ts'
import { type Drip, enrolmentsOf, tallyDrip, unclearNow } from './drip-tally.ts'
import { changeWeather, faultsOf } from './drip-weather.ts'
import { watch } from './watch.ts'

export interface DripSize extends DripStormSize {
  contacts: number
}

export type DripFigures = Awaited<ReturnType<typeof throughStorm>>

/** Nothing here is about how often somebody may ask. */
const settings: Partial<Record<Setting, string>> = { RATE_LIMIT_PER_MINUTE: '100000' }
const modes = {
  /** The provider knows every key for as long as it may be repeated. */
  keysAlive: { ...settings, DRIP_LOOK_UP_AFTER_SECONDS: '5' },
  /** Nobody knows a key any more when it is to be repeated: only webhooks and look-ups tell what became of a call. */
  keysExpired: { ...settings, DRIP_LOOK_UP_AFTER_SECONDS: '30', RESEND_KEY_LIFETIME_SECONDS: '1' },
}
const patience = { timeout: 300_000, interval: 500 }
const listEveryMs = 250

const Created = z.object({ id: z.uuid() })
const SavedContacts = z.object({ lines: z.array(z.object({ id: z.uuid() })) })

/**
 * A sequence through two storms, with nobody to help it: one in which the provider's keys live, and one in which they have expired whenever
 * a call is to be repeated. Throws when somebody does not come to an end, and then leaves the logs.
 */
export async function chaosDrip(
  size: DripSize,
  seed: number,
  say: (line: string) => void = () => {},
): Promise<{ keysAlive: DripFigures; keysExpired: DripFigures }> {
  say('with keys that live')
  const keysAlive = await throughStorm(size, `${seed}/alive`, 'keysAlive', say)
  say('with keys that have expired')
  const keysExpired = await throughStorm(size, `${seed}/expired`, 'keysExpired', say)
  return { keysAlive, keysExpired }
}

/** What must not be, whatever the storm. */
export function hasDamage(figures: DripFigures): boolean {
  const { lost, duplicates, unclearUnexplained, leftOpen, sentAfterStop, unmeant } = figures
  return lost + duplicates + unclearUnexplained + leftOpen + sentAfterStop + unmeant > 0
}

/**
 * Whether something was unclear that nobody could have seen. Told only of a storm in which keys have expired: there it is unclear until a
 * look-up, with keys that live mostly for moments, between two of our looks.
 */
export function hasHidden({ unclear, unclearListed }: DripFigures): boolean {
  return unclearListed < unclear
}

/** A sequence through one storm. Everything that is left to chance follows from the seed. */
export async function throughStorm(
  size: DripSize,
  seed: string,
  mode: keyof typeof modes,
  say: (line: string) => void = () => {},
) {
  const begun = Date.now()
  await using system = await wholeSystem(modes[mode], { keepsCommitTimes: true })
  try {
    await system.start()
    const people = drawPeople(size.contacts, drawsFrom(`${seed}/people`))
    const { id: organisationId, api } = await system.organisation()
    for (const fault of faultsOf(drawsFrom(`${seed}/faults`))) await system.addFault(fault)
    const { sequenceId, contactIds } = await setUp(api, people)
    await using database = await openDatabase(system)
    const rows = dripRows(database, organisationId)
    const [struck, listed] = [new Set<string>(), new Set<string>()]

    const listing = watch(listEveryMs, async () => {
      // An API that is down just now says nothing against it.
      for (const id of await unclearNow(api).catch(() => [])) listed.add(id)
    })
    const weather = changeWeather(system, people, { seed, forgetsKeys: mode === 'keysExpired' })
    const entry = createEntry(api, sequenceId, [...contactIds.values()], size.kills.worker + size.kills.standIn)
    entry.next()
    const onBlow = async () => {
      entry.next() // so that to the last blow somebody is on the way
      for (const id of await rows.sending()) struck.add(id)
    }
    const blows = await dripStorm(system, { ...size, seed }, onBlow, say)
    await entry.end()
    say('the storm is over') // but for the provider, which stays as it is
    const drip = { system, api, rows, sequenceId, people, contactIds, struck, listed }
    await untilOver(drip).catch((error: unknown) => say(`gave up waiting: ${String(error)}`))
    await weather.clearUp()
    await listing.stop()

    const { workerKills: kills, apiKills, stops, restarts } = blows
    const seconds = Math.round((Date.now() - begun) / 1000)
    const figures = { kills, ...(await tallyDrip(drip)), apiKills, stops, restarts, seconds }
    if (hasDamage(figures) || (mode === 'keysExpired' && hasHidden(figures))) say(`logs are kept in ${system.keep()}`)
    return figures
  } catch (error) {
    throw new Error(`The sequence did not come through; logs are kept in ${system.keep()}`, { cause: error })
  }
}

async function setUp(api: ApiClient, people: readonly Person[]) {
  const post = async (path: string, body: unknown) => api.post(path, body, randomUUID())
  // At any hour of the day the storm may be let loose.
  await post('/policy', { window: { from: '00:00', to: '00:00', outside: 'hold' } })
  const sender = { channel: 'email', provider: 'resend', name: 'Maple Dental', address: 'hello@maple-dental.test' }
  const { id: senderId } = Created.parse(await post('/senders', { ...sender, postalAddress: '1 Main Street' }))
  const sequence = await post('/sequences', { name: 'Through a storm', definition: definitionFor(senderId) })
  const { id: sequenceId } = Created.parse(sequence)
  await post(`/sequences/${sequenceId}/publish`, undefined)
  const contacts = people.map(({ externalId, email, pays }) => ({
    externalId,
    email,
    timeZone: 'UTC',
    properties: { plan: pays ? 'paid' : 'free' },
  }))
  const { lines } = SavedContacts.parse(await post('/contacts/list', { contacts }))
  return {
    sequenceId,
    contactIds: new Map(people.map(({ externalId }, index) => [externalId, lines[index]?.id ?? ''])),
  }
}

/** Until everybody has come to an end, every message is settled, and everything that ends journeys is heard of. */
async function untilOver({ api, rows, sequenceId, people, contactIds }: Drip): Promise<void> {
  await eventually(async () => {
    const enrolments = await enrolmentsOf(api, sequenceId)
    const underWay = enrolments.filter(({ status }) => status === 'active' || status === 'paused').length
    const { messages, outbox } = await rows.unsettled()
    const exited = enrolments.filter(({ status }) => status === 'exited').map(({ contactId }) => contactId)
    const known = new Set([...exited, ...(await rows.heardOf())])
    const unheard = people.filter(
      (person) => leaves(person) && !known.has(contactIds.get(person.externalId) ?? ''),
    ).length
    if (enrolments.length < people.length || underWay + messages + outbox + unheard > 0) {
      const open = `${messages} messages and ${outbox} deliveries are open, ${unheard} events unheard`
      throw new Error(`${enrolments.length} have entered, ${underWay} are under way, ${open}`)
    }
  }, patience)
}

async function openDatabase(system: WholeSystem): Promise<Database & AsyncDisposable> {
  const database = await system.database()
  return { ...database, [Symbol.asyncDispose]: () => database.close() }
}
