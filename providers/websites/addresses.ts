import type { LookupAddress } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import { SiteFailure } from '../../activities/ports.ts'

/** Ports that websites of strangers may be read on. */
const webPorts = new Set([80, 443])

/** What is not the public internet, after IANA's special-purpose registries. */
const notPublicIpv4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8],
  ['168.63.129.16', 32], // not special by registry, but Azure's machines reach their host there
  ['169.254.0.0', 16], // link-local, where clouds keep their secrets
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
])

/**
 * The same for IPv6, turned round: only 2000::/3 is given out to the public, so that mapped, translated (64:ff9b::), local and
 * unassigned addresses all lie outside it.
 */
const notPublicIpv6 = blockList('ipv6', [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23], // Teredo, ORCHID, benchmarks and other protocol assignments
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
])

// One list for each family: in a common one node:net holds IPv4 addresses, as mapped, against ::/3 too.
function blockList(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family)
  return list
}

function isPublic({ address, family }: LookupAddress): boolean {
  return family === 6 ? !notPublicIpv6.check(address, 'ipv6') : !notPublicIpv4.check(address, 'ipv4')
}

/** A place to connect to: `host` is a name or a literal address without brackets. */
export interface Endpoint {
  host: string
  port: number
}

export type AddressLookup = (hostname: string) => Promise<LookupAddress[]>

export function parseEndpoint(text: string): Endpoint {
  const { hostname, port, protocol } = new URL(text.includes('://') ? text : `http://${text}`)
  return { host: bareHost(hostname), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** A host as it is compared: lower case, no brackets, no dot at the end. */
export function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/**
 * Says which addresses an endpoint may be connected at; throws SiteFailure if there is none. One address that is not public
 * refuses them all: a name with both is an attack or a mistake.
 */
export function createAddressGuard(allowed: readonly string[], lookup: AddressLookup) {
  const open = new Set(allowed.map((entry) => endpointKey(parseEndpoint(entry))))
  const openPorts = new Set(allowed.map((entry) => parseEndpoint(entry).port))

  return async function permittedAddresses({ host, port }: Endpoint): Promise<LookupAddress[]> {
    if (!webPorts.has(port) && !openPorts.has(port)) throw new SiteFailure('port_not_allowed', String(port))
    const addresses = await resolve(host)
    if (open.has(endpointKey({ host, port }))) return addresses
    for (const address of addresses) {
      if (open.has(endpointKey({ host: address.address, port }))) continue
      if (!webPorts.has(port)) throw new SiteFailure('port_not_allowed', String(port))
      if (!isPublic(address)) throw new SiteFailure('address_not_allowed')
    }
    return addresses
  }

  async function resolve(host: string): Promise<LookupAddress[]> {
    const family = isIP(host)
    if (family !== 0) return [{ address: host, family }]
    // By RFC 6761, whatever the resolver says.
    if (host === 'localhost' || host.endsWith('.localhost')) return [{ address: '127.0.0.1', family: 4 }]
    const addresses = await lookup(host).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error)) throw error
      // Any other code says that the resolver could not tell: that may be its fault, or ours.
      const isAbsent = error.code === 'ENOTFOUND' || error.code === 'ENODATA'
      throw new SiteFailure(isAbsent ? 'dns_not_found' : 'dns_failed', String(error.code))
    })
    if (addresses.length === 0) throw new SiteFailure('dns_not_found')
    return addresses
  }
}

function endpointKey({ host, port }: Endpoint): string {
  return `${host} ${port}`
}
