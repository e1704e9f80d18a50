import { join } from 'node:path'
import { loadConfig, providerMode } from '../../config.ts'
import { createGoogleSandbox } from '../../providers/google/sandbox.ts'
import { createResendSandbox } from '../../providers/resend/sandbox.ts'
import { createSerpapiSandbox } from '../../providers/serpapi/sandbox.ts'
import { createStripeSandbox } from '../../providers/stripe/sandbox.ts'
import { createWebsitesSandbox, sandboxCertificate, serveFolder } from '../../providers/websites/sandbox.ts'
import { standInPrices } from '../stripe-prices.ts'
import { startSandbox } from './host.ts'

const config = loadConfig()
const { dataDir, publicUrl, sandbox: settings } = config

try {
  const files = settings.sitesDir === undefined ? new Map<string, string>() : await serveFolder(settings.sitesDir)
  // The secret of a real endpoint is nothing for a stand-in to sign with.
  const webhookOf = (provider: 'resend' | 'stripe') => {
    const secret = providerMode(config, provider) === 'sandbox' ? config[provider].webhookSecret : undefined
    return secret === undefined ? undefined : { url: `${publicUrl}/webhooks/${provider}`, secret }
  }
  const sandbox = await startSandbox({
    controlPort: settings.port,
    providersPort: settings.providersPort,
    sitesPort: settings.sitesPort,
    sitesTlsPort: settings.sitesTlsPort,
    stateDir: join(dataDir, 'sandbox'),
    providers: [
      createSerpapiSandbox(),
      createGoogleSandbox(),
      createResendSandbox({ webhook: webhookOf('resend') }),
      createStripeSandbox({ webhook: webhookOf('stripe'), prices: standInPrices(config.stripe.prices) }),
    ],
    sites: createWebsitesSandbox({ files }),
    sitesCertificate: sandboxCertificate,
  })

  const stop = () => void sandbox.close().then(() => process.exit(0))
  process.once('SIGTERM', stop)
  // Whoever started us is gone, and the worker with us: what it is still reading is no site that refuses.
  process.once('disconnect', () => setTimeout(stop, config.worker.shutdownGraceSeconds * 1000))
  // Ctrl-C reaches every process of the terminal; a parent, which knows the order to stop in, then sends SIGTERM.
  if (process.connected) process.on('SIGINT', () => {})
  process.send?.({ kind: 'ready' })
} catch (error) {
  console.error(`The sandbox cannot start: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
