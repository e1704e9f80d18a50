import { createHash } from 'node:crypto'

/** A business that does not exist, in a town that may. */
export interface TownBusiness {
  name: string
  kind: string
  /** Under the reserved top-level domain .test; null for the few that have none. */
  website: string | null
  placeId: string
  phone: string
  address: string
  rating: number
  reviews: number
}

interface Trade {
  asked: RegExp
  kind: string
  names: string[]
}

// Searches in different words for the same trade find the same businesses, as they do in life.
const trades: Trade[] = [
  { asked: /dent|teeth|orthodon/i, kind: 'Dentist', names: ['Dental', 'Dental Care', 'Family Dentistry', 'Smiles'] },
  {
    asked: /plumb|drain|pipe/i,
    kind: 'Plumber',
    names: ['Plumbing', 'Plumbing & Drain', 'Pipeworks', 'Water Services'],
  },
  { asked: /salon|hair|barber/i, kind: 'Hair salon', names: ['Hair', 'Salon', 'Barbers', 'Hair Studio'] },
  { asked: /yoga|gym|fitness|pilates/i, kind: 'Gym', names: ['Yoga', 'Fitness', 'Pilates', 'Movement'] },
  { asked: /roof|gutter/i, kind: 'Roofing contractor', names: ['Roofing', 'Roof Repair', 'Gutters', 'Exteriors'] },
  { asked: /restaurant|cafe|coffee|bakery/i, kind: 'Cafe', names: ['Kitchen', 'Coffee', 'Bakery', 'Table'] },
  { asked: /law|attorney|legal/i, kind: 'Law firm', names: ['Law', 'Legal', 'Law Group', 'Injury Law'] },
  { asked: /massage|spa|beauty/i, kind: 'Spa', names: ['Spa', 'Massage', 'Skin Studio', 'Wellness'] },
]

const prefixes = [
  'Bright, Oak Hill, Riverside, Summit, Lakeside, Blue Door, Copper, Evergreen, Northgate, Harbor',
  'Maple Street, Golden, Silver Creek, Red Barn, Stonebridge, Willow, Sunrise, Cedar, Hilltop, Meadow',
  'Old Mill, Crescent, Liberty, Magnolia, Pioneer, Union Square, Valley, Westside, Eastside, Juniper',
  'Lantern, Compass, Anchor, Four Corners, Clearwater, Highland, Prairie, Orchard, Beacon, Cornerstone',
].flatMap((line) => line.split(', '))

const streets = ['Main St', 'Oak Ave', 'Market St', 'Lake Dr', '2nd St', 'Congress Ave', 'Mill Rd', 'Park Blvd']
const areaCodes = [205, 212, 303, 312, 404, 415, 512, 602, 617, 702, 813, 919]

// The fictitious numbers of an area code end in 0100 to 0199, so a trade in a town has at most a hundred businesses.
const businessesPerTrade = 100

/** What one engine finds for a query in a town: 30 to 60 businesses, always the same, many shared with similar searches. */
export function findInTown(engine: string, query: string, town: string): TownBusiness[] {
  const seed = `${engine}/${query.toLowerCase().trim()}/${town.toLowerCase()}`
  const found = 30 + Math.floor(draw(seed) * 31)
  return shuffled(businessesOf(tradeOf(query), town), (business) => `${seed}/${business.placeId}`).slice(0, found)
}

/** The businesses of a town that pay for being shown, the highest bidder for this query first. Some of them are found without it, too. */
export function advertisersInTown(query: string, town: string): TownBusiness[] {
  const advertisers = businessesOf(tradeOf(query), town).filter(
    ({ website, placeId }) => website !== null && draw(`${placeId}/advertises`) < 0.15,
  )
  return shuffled(advertisers, ({ placeId }) => `${query.toLowerCase().trim()}/${placeId}/bid`)
}

function businessesOf({ kind, names }: Trade, town: string): TownBusiness[] {
  const all = prefixes.flatMap((prefix) => names.map((name) => `${prefix} ${name}`))
  return shuffled(all, (name) => `${town.toLowerCase()}/${name}`)
    .slice(0, businessesPerTrade)
    .map((name, index) => {
      const seed = `${name}/${town.toLowerCase()}`
      const areaCode = pick(areaCodes, town.toLowerCase())
      return {
        name,
        kind,
        website: websiteOf(`${slug(`${name} ${town}`)}.test`, seed),
        placeId: `ChIJ${createHash('sha256').update(seed).digest('base64url').slice(0, 23)}`,
        phone: `+1 ${areaCode}-555-${String(100 + index).padStart(4, '0')}`,
        address: `${100 + Math.floor(draw(`${seed}/door`) * 9800)} ${pick(streets, seed)}, ${town}`,
        rating: Math.round((3 + 2 * draw(`${seed}/rating`)) * 10) / 10,
        reviews: Math.floor(400 * draw(`${seed}/reviews`) ** 3),
      }
    })
}

/** Mostly plain http: the farm's certificate is one that nobody trusts, and a few sites are there to show it. */
function websiteOf(host: string, seed: string): string | null {
  const share = draw(`${seed}/website`)
  if (share < 0.12) return null
  if (share < 0.16) return `https://${host}/`
  if (share < 0.28) return `http://www.${host}/`
  if (share < 0.36) return `http://${host}/?utm_source=google&utm_medium=organic`
  return `http://${host}/`
}

function tradeOf(query: string): Trade {
  const known = trades.find(({ asked }) => asked.test(query))
  if (known) return known
  const words = query.split(/\s+/).slice(0, 2).join(' ')
  const kind = words.replace(/(^|\s)\p{Ll}/gu, (letter) => letter.toUpperCase())
  return { asked: /(?:)/, kind, names: [kind, `${kind} Company`, `${kind} Studio`, `${kind} Works`] }
}

/** A host name's label; words in other scripts become a short digest, since they leave no letters. */
export function slug(text: string): string {
  const letters = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  const words = letters.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')
  const isWhole = !/[^\p{ASCII}]/u.test(letters)
  const label = isWhole ? words : `${words}-${createHash('sha256').update(text).digest('hex').slice(0, 6)}`
  return label.slice(0, 60).replace(/^-|-$/g, '')
}

/** A number from 0 up to 1 that depends on the seed alone. */
export function draw(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32
}

function pick<Item>(items: readonly Item[], seed: string): Item {
  const item = items[Math.floor(draw(seed) * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

function shuffled<Item>(items: Item[], seedOf: (item: Item) => string): Item[] {
  return items
    .map((item) => ({ item, rank: draw(seedOf(item)) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
