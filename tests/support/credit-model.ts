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
  /** Of the whole family: given, gone without use, taken back, and what was to be. */
  given: number
  expired: number
  clawed: number
  toClaw: number
  /** What it has paid for its own family, and of what was owed otherwise. */
  own: number
  lent: number
}

type GivenGrant = Pick<ModelGrant, 'key' | 'remaining' | 'priority' | 'expiresAt' | 'isPurchased' | 'rollsOver'>

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
    const given = { grantedAt, order: grants.length, family, given: grant.remaining }
    grants.push({ ...grant, ...given, expired: 0, clawed: 0, toClaw: 0, own: 0, lent: 0 })
  }

  /** Whatever is there pays what is owed. */
  function repay(): void {
    const { parts, open } = takeFrom(inOrder(grants), owed)
    for (const { grant, amount } of parts) grant.lent += amount
    owed = open
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
      original.expired += grant.remaining - rolled
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

  const asGranted = (some: ModelGrant[]) => some.toSorted((one, other) => one.grantedAt - other.grantedAt)
  const firstOf = (key: string) => (one: ModelGrant, other: ModelGrant) =>
    Number(other.family === key) - Number(one.family === key)
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
      if (!original) return false
      const most = Math.max(0, Math.min(amount, original.given - original.clawed - original.expired))
      original.toClaw += amount
      original.clawed += most
      const { parts, open } = takeFrom(asGranted(alive(now)).toSorted(firstOf(key)), most)
      for (const { grant, amount: part } of parts) {
        if (grant.family === key) grant.own += part
        else grant.lent += part
      }
      owed += open
      return most > 0
    },
    giveBackClawed(key: string, amount: number, now: number): boolean {
      expire(now)
      const original = grants.find((grant) => grant.key === key)
      if (!original) return false
      original.toClaw = Math.max(0, original.toClaw - amount)
      let open = Math.max(0, original.clawed - original.toClaw)
      const isAny = open > 0
      const newest = asGranted(inOrder(grants)).toReversed()
      const family = newest.filter((grant) => grant.family === key)
      // What nobody of its own has paid.
      const others = Math.min(open, original.clawed - family.reduce((sum, { own }) => sum + own, 0))
      original.clawed -= open
      open -= others
      const noLongerOwed = Math.min(others, owed)
      owed -= noLongerOwed
      let lent = others - noLongerOwed
      for (const grant of newest) {
        const part = Math.min(lent, grant.lent)
        lent -= part
        grant.lent -= part
        grant.remaining += part
      }
      for (const grant of family) {
        const part = Math.min(open, grant.own)
        open -= part
        grant.own -= part
        grant.remaining += part
      }
      expireGrants(now)
      repay()
      return isAny
    },
    end(key: string, now: number): boolean {
      expire(now)
      for (const grant of grants.filter(({ family }) => family === key)) {
        grant.expiresAt = Math.min(grant.expiresAt ?? now, now)
        grant.rollsOver = null
      }
      expireGrants(now)
      return grants.some((grant) => grant.key === key)
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
