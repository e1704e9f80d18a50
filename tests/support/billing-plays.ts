import type { Tx } from '../../db/client.ts'
import { balancesIn, comparable, ledgerAt } from './billing-ends.ts'
import { storyInMemory } from './billing-in-memory.ts'
import { bringsCard, momentsOf, type Step, take } from './billing-lives.ts'
import { dailyLook, delayOf, type Weather } from './billing-weather.ts'
import type { TestOrganisation } from './organisation.ts'
import { stripeInProcess } from './stripe-in-process.ts'

interface Place {
  began: number
  organisationId: string
  as: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>
}

/** An organisation of its own, for a life that begins then. */
export async function newPlace({ system, database }: TestOrganisation, began: number): Promise<Place> {
  const [row] = await system<{ id: string }[]>`insert into organisations (name) values ('A life') returning id`
  if (!row) throw new Error('insert returned no row')
  return { began, organisationId: row.id, as: (work) => database.as(row.id, work) }
}

/**
 * Plays a life; returns how it stands in the end, and whether reconciliation found anything then. In order, without a weather, whatever changes at
 * Stripe is heard of at once. Else webhooks are lost, come several times and late; timers go off as they do, and somebody looks once a day
 * and before each step. After the last nobody does, but reconciliation.
 */
export async function play(life: readonly Step[], { began, organisationId, as }: Place, weather?: Weather) {
  const stripe = stripeInProcess(began, weather)
  const { billing, now } = stripe
  const who = { organisationId, name: 'A life', email: null }
  const { customerId } = await billing.createCustomer(who, 'customer', AbortSignal.timeout(30_000))
  const story = storyInMemory({ organisationId, customerId, billing, now, inLedger })
  let coming: number[] = []
  let sent = 0
  let isWatched = weather !== undefined
  let changesSeen = -1
  const { steps, endsAt } = momentsOf(life, began)
  for (const { step, at, number } of steps) {
    await passUntil(at)
    // Whoever does something does it to the same account, in whatever weather.
    await look()
    await take(step, number, {
      customerId,
      billing,
      happen: stripe.happen,
      ask: (request) => story.ask(request, `request/${number}`),
      use: story.use,
    })
    if (bringsCard(step, number)) await look()
    await listen()
  }
  isWatched = false
  await passUntil(endsAt)
  const wasBehind = await story.reconcile()
  const ledger = await as((tx) => ledgerAt(tx, new Date(now())))
  return { end: comparable({ ...story.end(), ledger }), wasBehind }

  /** Stripe's moments, our timers, webhooks on their way and daily looks, each at its time. */
  async function passUntil(until: number): Promise<void> {
    for (;;) {
      const ours = Math.min(story.next(), nextLook(), ...coming)
      const at = Math.max(now(), Math.min(ours, stripe.nextDue()))
      stripe.follow(Math.min(at, until))
      if (at > until) return listen()
      coming = coming.filter((one) => one > at)
      if (ours <= at) await look()
      await listen()
    }
  }

  /** Where nothing has changed it would see nothing. */
  function nextLook(): number {
    if (!weather || !isWatched || changesSeen === stripe.changes()) return Infinity
    return dailyLook(weather, began, now())
  }

  async function look(): Promise<void> {
    await story.settle()
    changesSeen = stripe.changes()
  }

  /** What comes at once may bring more. */
  async function listen(): Promise<void> {
    for (let arrived = await stripe.arrivals(); arrived > 0; arrived = await stripe.arrivals()) {
      const delays = Array.from({ length: arrived }, () => (weather ? delayOf(weather, (sent += 1), now()) : 0))
      coming.push(...delays.flatMap((late) => (late === null || late === 0 ? [] : [now() + late])))
      if (delays.includes(0)) await look()
    }
  }

  async function inLedger<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return as(async (tx) => {
      const done = await work(tx)
      for (const { type, cached, granted, summed } of await balancesIn(tx)) {
        if (cached === granted && granted === summed) continue
        throw new Error(`of ${type} there are ${cached}, ${granted} or ${summed}`)
      }
      return done
    })
  }
}
