import { Client, Connection } from '@temporalio/client'
import { loadClientConnectConfig } from '@temporalio/envconfig'
import type { Config } from '../config.ts'

/** A client that connects at its first call, so that a process may start while Temporal is away. */
export function connectTemporal(temporal: Config['temporal']): Client {
  const { connectionOptions, namespace } = connectionSettings(temporal)
  return new Client({ connection: Connection.lazy(connectionOptions), namespace: namespace ?? temporal.namespace })
}

/** The standard TEMPORAL_* variables and, where one is named, a TOML profile: address, namespace, TLS, API key. */
export function connectionSettings({ variables, usesProfile, address, port }: Config['temporal']) {
  const devServer = address === undefined && !usesProfile ? { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } : {}
  return loadClientConnectConfig({ overrideEnvVars: { ...variables, ...devServer }, disableFile: !usesProfile })
}
