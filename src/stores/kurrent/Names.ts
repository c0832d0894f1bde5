/**
 * The names that an installation uses on a KurrentDB server: streams and event
 * types. Public and frozen (`docs/LOG.md`): others read these streams, too.
 */

import * as Redacted from "effect/Redacted"

/** Types of the events that are not a wallet's. */
export const installationCreated = "InstallationCreated"
export const partitionClaimed = "PartitionClaimed"
export const walletSnapshot = "WalletSnapshot"
export const highWatermarkRaised = "HighWatermarkRaised"

/**
 * No `-` and no `.`: they end the prefix, so that no installation's streams can be
 * taken for another's on the same server.
 */
const prefixForm = /^[a-z][a-z0-9_]{0,31}$/

export const isPrefix = (prefix: string): boolean => prefixForm.test(prefix)

/** `KurrentDB at host:2113`, without what stands before the hosts. */
export const describeKurrent = (url: Redacted.Redacted): string => {
  const [, hosts = ""] = /^[^:]+:\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(Redacted.value(url)) ?? []
  return hosts === "" ? "KurrentDB" : `KurrentDB at ${hosts}`
}

export interface KurrentNames {
  /** What the names of all wallets' streams begin with, and no other stream's. */
  readonly wallets: string
  readonly wallet: (walletId: string) => string
  /** The wallet whose stream it is; only for names that begin with `wallets`. */
  readonly walletOf: (stream: string) => string
  readonly claims: (partition: number) => string
  readonly snapshots: (walletId: string) => string
  readonly installation: string
  readonly highWatermark: string
}

export const make = (prefix: string): KurrentNames => {
  const wallets = `${prefix}-`
  return {
    wallets,
    wallet: (walletId) => wallets + walletId,
    walletOf: (stream) => stream.slice(wallets.length),
    claims: (partition) => `${prefix}.claims-${partition}`,
    snapshots: (walletId) => `${prefix}.snapshots-${walletId}`,
    installation: `${prefix}.installation`,
    highWatermark: `${prefix}.highwatermark`
  }
}
