import type { Config } from '../config.ts'
import type { SiteReaderSettings } from '../providers/websites/client.ts'

/** How strangers' websites are read under these settings. */
export function siteSettings({ sites }: Config): SiteReaderSettings {
  const { allowAddresses, baseUrl, tlsBaseUrl } = sites
  const testHosts = baseUrl && { testHosts: { http: baseUrl, ...(tlsBaseUrl && { https: tlsBaseUrl }) } }
  return { allowAddresses, ...testHosts }
}
