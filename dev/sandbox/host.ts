import { join } from 'node:path'
import { control } from './control.ts'
import type { Tenant } from './tenant.ts'
import { type Handler, type Listening, listen, type WebServer } from './web-server.ts'
import { openWorld } from './world.ts'

export interface SandboxOptions {
  /** Ports of this machine; 0 takes any that is free. */
  controlPort: number
  providersPort: number
  sitesPort: number
  sitesTlsPort: number
  /** What happened is kept here and taken up again by the next start. */
  stateDir: string
  /** Each is mounted under its name, `/serpapi/search`, and at the roots that it claims. */
  providers: readonly Tenant[]
  /** Answers for every host name on the sites ports. */
  sites: Tenant
  /** Key and certificate of the https sites, as one PEM text. */
  sitesCertificate: string
  clock?: () => Date
}

export interface Sandbox {
  urls: { control: string; providers: string; sites: string; sitesTls: string }
  close(): Promise<void>
}

/** Plays the outside world over HTTP. Rejects when a port is in use or the state cannot be read; then nothing is left running. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { providers, sites, sitesCertificate: certificate, clock = () => new Date() } = options
  const world = openWorld(join(options.stateDir, 'sandbox.jsonl'), [...providers, sites], clock)
  const site = (request: Request) => world.answer(sites, request)
  const provider = (request: Request) => {
    const [, name = '', path = '/'] = /^\/([^/]*)(\/.*)?$/.exec(new URL(request.url).pathname) ?? []
    const rooted = providers.find(({ roots }) => roots?.includes(name))
    if (rooted) return world.answer(rooted, request)
    const tenant = providers.find((one) => one.provider === name)
    if (tenant === undefined)
      return Promise.resolve(Response.json({ error: `no provider at /${name}` }, { status: 404 }))
    return world.answer(tenant, new Request(Object.assign(new URL(request.url), { pathname: path }), request))
  }

  const servers: WebServer[] = []

  async function open(listening: Listening, handler: Handler): Promise<string> {
    const server = await listen(listening, handler)
    servers.push(server)
    return `${listening.certificate === undefined ? 'http' : 'https'}://127.0.0.1:${server.port}`
  }

  async function close(): Promise<void> {
    await Promise.all(servers.map((server) => server.close()))
    world.close()
  }

  try {
    const urls = {
      control: await open({ name: 'control surface', port: options.controlPort }, (request) => control(world, request)),
      providers: await open({ name: 'providers', port: options.providersPort }, provider),
      sites: await open({ name: 'websites', port: options.sitesPort }, site),
      sitesTls: await open({ name: 'https websites', port: options.sitesTlsPort, certificate }, site),
    }
    return { urls, close }
  } catch (error) {
    await close()
    throw error
  }
}
