/** The ledger as one would keep it in one's head: no rows, no cache. The real one is held to it. */
export interface ModelGrant {
  key: string
  remaining: number
  priority: number
  expiresAt: number | null
  isPurchased: boolean
  rollsOver: { most: number; until: number } | null
  order: number
}

interface Held {
  parts: { grant: ModelGrant; amount: number }[]
  expiresAt: number
  status: 'reserved' | 'settled' | 'released' | 'expired'
}

export function creditModel() {
  const grants: ModelGrant[] = []
  const reservations = new Map<string, Held>()
  let owed = 0

  function alive(now: number): ModelGrant[] {
    return grants
      .filter(({ remaining, expiresAt }) => remaining > 0 && (expiresAt === null || expiresAt > now))
      .sort(
        (one, other) =>
          one.priority - other.priority ||
          (one.expiresAt ?? Infinity) - (other.expiresAt ?? Infinity) ||
          Number(one.isPurchased) - Number(other.isPurchased) ||
          one.order - other.order,
      )
  }

  function put(grant: Omit<ModelGrant, 'order'>): void {
    const paid = Math.min(owed, grant.remaining)
    owed -= paid
    grants.push({ ...grant, remaining: grant.remaining - paid, order: grants.length })
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
    expire(now)
    for (const { grant } of held.parts.toReversed()) {
      const paid = Math.min(owed, grant.remaining)
      owed -= paid
      grant.remaining -= paid
    }
  }

  function expire(now: number): void {
    for (const held of reservations.values()) {
      if (held.status !== 'reserved' || held.expiresAt > now) continue
      held.status = 'expired'
      giveBack(held, Infinity, now)
    }
    for (const grant of grants) {
      if (grant.remaining === 0 || grant.expiresAt === null || grant.expiresAt > now) continue
      const rolled = Math.min(grant.remaining, grant.rollsOver?.most ?? 0)
      const until = grant.rollsOver?.until ?? 0
      grant.remaining = 0
      if (grant.rollsOver && rolled > 0) {
        grant.rollsOver = { most: grant.rollsOver.most - rolled, until }
        const { key, priority } = grant
        put({ key: `${key}+`, remaining: rolled, priority, expiresAt: until, isPurchased: false, rollsOver: null })
      }
    }
  }

  const sumLeft = () => grants.reduce((sum, { remaining }) => sum + remaining, 0)
  return {
    balance: (now: number) => {
      expire(now)
      return sumLeft() - owed
    },
    grant(grant: Omit<ModelGrant, 'order'>, now: number): void {
      expire(now)
      if (!grants.some(({ key }) => key === grant.key)) put(grant)
    },
    burn(amount: number, now: number): boolean {
      expire(now)
      if (sumLeft() - owed < amount) return false
      takeFrom(alive(now), amount)
      return true
    },
    clawBack(key: string, amount: number, now: number): void {
      expire(now)
      const own = alive(now).filter((grant) => grant.key === key)
      owed += takeFrom([...own, ...alive(now)], amount).open
    },
    reserve(act: string, amount: number, expiresAt: number, now: number): boolean {
      expire(now)
      if (reservations.has(act)) return true
      if (sumLeft() - owed < amount) return false
      reservations.set(act, { parts: takeFrom(alive(now), amount).parts, expiresAt, status: 'reserved' })
      return true
    },
    settle(act: string, amount: number, now: number): boolean {
      expire(now)
      const held = reservations.get(act)
      if (!held || held.status === 'released') return false
      if (held.status === 'settled') return true
      const reserved = held.status === 'reserved' ? held.parts.reduce((sum, part) => sum + part.amount, 0) : 0
      held.status = 'settled'
      if (amount < reserved) giveBack(held, reserved - amount, now)
      else owed += takeFrom(alive(now), amount - reserved).open
      return true
    },
    release(act: string, now: number): boolean {
      expire(now)
      const held = reservations.get(act)
      if (!held || held.status === 'settled') return false
      if (held.status !== 'reserved') return true
      held.status = 'released'
      giveBack(held, Infinity, now)
      return true
    },
  }
}
