/** The ledger as one would keep it in one's head: no rows, no cache. The real one is held to it. */
export interface ModelGrant {
  key: string
  remaining: number
  priority: number
  expiresAt: number | null
  isPurchased: boolean
  rollsOver: { most: number; until: number } | null
  grantedAt: number
  order: number
  /** The grant that was given; of what has rolled over, the one that it was. */
  family: string
  /** Of the whole family: given, and gone without use or taken back. */
  given: number
  lost: number
}

type GivenGrant = Omit<ModelGrant, 'grantedAt' | 'order' | 'family' | 'given' | 'lost'>

interface Held {
  parts: { grant: ModelGrant; amount: number }[]
  amount: number
  expiresAt: number
  status: 'reserved' | 'settled' | 'released' | 'expired'
}

export function creditModel() {
  const grants: ModelGrant[] = []
  const reservations = new Map<string, Held>()
  let owed = 0
  let isMetered = false
  let metered = 0

  const inOrder = (some: ModelGrant[]) =>
    some.toSorted(
      (one, other) =>
        one.priority - other.priority ||
        (one.expiresAt ?? Infinity) - (other.expiresAt ?? Infinity) ||
        Number(one.isPurchased) - Number(other.isPurchased) ||
        one.order - other.order,
    )
  const alive = (now: number) =>
    inOrder(grants.filter(({ remaining, expiresAt }) => remaining > 0 && (expiresAt === null || expiresAt > now)))

  function put(grant: GivenGrant, grantedAt: number, family = grant.key): void {
    grants.push({ ...grant, grantedAt, order: grants.length, family, given: grant.remaining, lost: 0 })
  }

  /** Whatever is there pays what is owed. */
  function repay(): void {
    owed = takeFrom(inOrder(grants), owed).open
  }

  function takeFrom(sources: ModelGrant[], wanted: number) {
    const parts: Held['parts'] = []
    let open = wanted
    for (const grant of sources) {
      const amount = Math.min(grant.remaining, open)
      if (amount === 0) continue
      grant.remaining -= amount
      open -= amount
      parts.push({ grant, amount })
    }
    return { parts, open }
  }

  function giveBack(held: Held, wanted: number, now: number): void {
    let open = wanted
    for (const { grant, amount } of held.parts.toReversed()) {
      const part = Math.min(amount, open)
      open -= part
      grant.remaining += part
    }
    expireGrants(now)
    repay()
  }

  /** In the order in which it happens, whoever looks when. */
  function expire(now: number): void {
    const overdue = [...reservations.values()].filter(
      ({ status, expiresAt }) => status === 'reserved' && expiresAt <= now,
    )
    for (const held of overdue.toSorted((one, other) => one.expiresAt - other.expiresAt)) {
      expireGrants(held.expiresAt)
      held.status = 'expired'
      giveBack(held, Infinity, held.expiresAt)
    }
    expireGrants(now)
  }

  function expireGrants(now: number): void {
    for (const grant of grants) {
      if (grant.remaining === 0 || grant.expiresAt === null || grant.expiresAt > now) continue
      const rolled = Math.min(grant.remaining, grant.rollsOver?.most ?? 0)
      const until = grant.rollsOver?.until ?? 0
      const original = grants.find(({ key }) => key === grant.family) ?? grant
      original.lost += grant.remaining - rolled
      grant.remaining = 0
      if (grant.rollsOver && rolled > 0) {
        grant.rollsOver = { most: grant.rollsOver.most - rolled, until }
        const { key, priority } = grant
        put(
          { key: `${key}+`, remaining: rolled, priority, expiresAt: until, isPurchased: false, rollsOver: null },
          grant.expiresAt,
          grant.family,
        )
      }
    }
  }

  const sumLeft = () => grants.reduce((sum, { remaining }) => sum + remaining, 0)
  return {
    balance: (now: number) => {
      expire(now)
      return sumLeft() - owed
    },
    grant(grant: GivenGrant, now: number): void {
      expire(now)
      if (!grants.some(({ key }) => key === grant.key)) put(grant, now)
      repay()
    },
    /** From now on, what a balance does not cover is metered, or refused. */
    meter(isOn: boolean): void {
      isMetered = isOn
    },
    /** How much of it was metered; null: it was refused. */
    burn(amount: number, now: number): number | null {
      expire(now)
      const covered = Math.min(amount, Math.max(0, sumLeft() - owed))
      if (covered < amount && !isMetered) return null
      takeFrom(alive(now), covered)
      metered += amount - covered
      return amount - covered
    },
    /** All that ever was. */
    metered: () => metered,
    clawBack(key: string, amount: number, now: number): boolean {
      expire(now)
      const original = grants.find((grant) => grant.key === key)
      const most = original ? Math.min(amount, original.given - original.lost) : 0
      if (!original || most <= 0) return false
      original.lost += most
      const asGranted = alive(now).toSorted((one, other) => one.grantedAt - other.grantedAt)
      const own = asGranted.filter(({ family }) => family === key)
      owed += takeFrom([...own, ...asGranted], most).open
      return true
    },
    reserve(act: string, amount: number, expiresAt: number, now: number): 'reserved' | 'short' | 'ended' | 'other' {
      expire(now)
      const known = reservations.get(act)
      if (known && known.amount !== amount) return 'other'
      if (known) return known.status === 'reserved' ? 'reserved' : 'ended'
      if (sumLeft() - owed < amount) return 'short'
      reservations.set(act, { parts: takeFrom(alive(now), amount).parts, amount, expiresAt, status: 'reserved' })
      return 'reserved'
    },
    settle(act: string, amount: number, now: number): 'done' | 'ended' | 'unknown' {
      expire(now)
      const held = reservations.get(act)
      if (!held) return 'unknown'
      if (held.status === 'released') return 'ended'
      if (held.status === 'settled') return 'done'
      const reserved = held.status === 'reserved' ? held.amount : 0
      held.status = 'settled'
      if (amount < reserved) giveBack(held, reserved - amount, now)
      else owed += takeFrom(alive(now), amount - reserved).open
      return 'done'
    },
    release(act: string, now: number): 'done' | 'ended' | 'unknown' {
      expire(now)
      const held = reservations.get(act)
      if (!held) return 'unknown'
      if (held.status === 'settled') return 'ended'
      if (held.status !== 'reserved') return 'done'
      held.status = 'released'
      giveBack(held, Infinity, now)
      return 'done'
    },
    /** What remains of each grant that was given, what has rolled over from it included. */
    remaining: () =>
      Object.fromEntries(
        [...Map.groupBy(grants, ({ family }) => family)].map(([family, all]) => [
          family,
          all.reduce((sum, { remaining }) => sum + remaining, 0),
        ]),
      ),
  }
}
