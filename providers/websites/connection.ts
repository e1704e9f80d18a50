import type { LookupAddress } from 'node:dns'
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import { SiteFailure } from '../../activities/ports.ts'
import { bareHost } from './addresses.ts'
import { createDeadline } from './deadline.ts'

export interface ConnectionPlan {
  /** Already checked. Nothing is looked up again, so what was checked is what is connected to. */
  addresses: readonly LookupAddress[]
  port: number
  /** How long the connection may take; without it, as long as the signal lets it. */
  timeoutMs: number | undefined
  /** A certificate to trust beside the public ones' authorities. */
  ca: string | undefined
}

/** Connects undici to the planned addresses and nowhere else. Aborting the signal destroys the socket in whatever state it is. */
export function createConnector(plan: ConnectionPlan, signal: AbortSignal): buildConnector.connector {
  return ({ protocol, hostname }, callback) => {
    const secure = protocol === 'https:'
    const socket = secure ? openTls(plan, bareHost(hostname)) : connectTcp(target(plan, bareHost(hostname)))
    addAbortSignal(signal, socket)
    const tooSlow = () => socket.destroy(new SiteFailure('connection_failed', 'connect_timeout'))
    const deadline = plan.timeoutMs === undefined ? undefined : createDeadline(plan.timeoutMs)
    deadline?.signal.addEventListener('abort', tooSlow)
    const fail = (error: Error) => {
      deadline?.clear()
      callback(connectionFailure(error, socket), null)
    }
    socket.once('error', fail)
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      deadline?.clear()
      socket.off('error', fail)
      callback(null, socket)
    })
  }
}

function openTls(plan: ConnectionPlan, host: string): TLSSocket {
  return connectTls({
    ...target(plan, host),
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    ...(plan.ca === undefined ? {} : { ca: plan.ca }),
  })
}

function target({ addresses, port }: ConnectionPlan, host: string) {
  const lookup: LookupFunction = (_host, options, callback) => {
    const [first] = addresses
    if (options.all) callback(null, [...addresses])
    else if (first) callback(null, first.address, first.family)
  }
  // Node gives each of several addresses a quarter of a second by default, too little for far countries.
  return { host, port, lookup, autoSelectFamilyAttemptTimeout: 1_000 }
}

function connectionFailure(error: Error, socket: Socket): Error {
  const refusal = socket instanceof TLSSocket ? socket.authorizationError : null
  return refusal ? new SiteFailure('bad_certificate', String(refusal)) : error
}
