/**
 * The partition of a wallet: FNV-1a (32 bit) of the id's ASCII codes, modulo the
 * installation's number of partitions. Ours and frozen: claims outlive versions.
 */

/** Default number of partitions of an installation; fixed at its first start. */
export const defaultPartitions = 1024

export const partitionOf = (walletId: string, partitions: number): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < walletId.length; i++) {
    hash = Math.imul(hash ^ walletId.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0) % partitions
}
