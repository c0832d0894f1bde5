/** Cuts rows into calls that a service takes: at most 1,000 commands, at most 1 MiB. Pure. */
import { maxMoves, type WalletMove } from "./ImportTarget.ts"

/** Of one batch, JSON: the service takes 1 MiB. */
const maxBatchBytes = 900 * 1024

/** What a command has besides its texts: names, ids, key, amount. */
const commandBytes = 640

const bytesOf = ({ metadata, reference }: WalletMove): number =>
  commandBytes + Buffer.byteLength(JSON.stringify([reference, metadata]))

/** In the same order, each of at most one call. */
export const batchesOf = <A extends { readonly move: WalletMove }>(
  items: ReadonlyArray<A>
): ReadonlyArray<ReadonlyArray<A>> => {
  const batches: Array<Array<A>> = []
  let bytes = 0
  for (const item of items) {
    const more = bytesOf(item.move)
    const last = batches.at(-1)
    if (last === undefined || last.length >= maxMoves || bytes + more > maxBatchBytes) {
      batches.push([item])
      bytes = more
    } else {
      last.push(item)
      bytes += more
    }
  }
  return batches
}
