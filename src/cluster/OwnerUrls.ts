/**
 * Where clients reach the nodes that own wallets, by partition: each node tells its own place with what it answers to
 * the others, so that what is known of a partition is as new as the last answer about it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ownership } from "../actors/Ownership.ts"
import { isNodeUrl } from "../domain/NodeUrl.ts"
import { partitionOf } from "../domain/Partition.ts"
import { WalletNodes } from "../engine/ClusterStatus.ts"

interface Service {
  /** Of this node; `undefined`: it tells none. */
  readonly own: string | undefined
  /** What its owner has told, with an answer of its own; `undefined`: nothing, or there was no answer. */
  readonly told: (partition: number, url: string | undefined) => void
}

export class OwnerUrls extends Context.Service<OwnerUrls, Service>()("effect-wallet/cluster/OwnerUrls") {
  /** `own`: `WALLET_NODE_URL`. */
  static readonly layer = (own: string | undefined) =>
    Layer.effectContext(
      Effect.gen(function* () {
        const { epochOf, partitions } = yield* Ownership
        const urls = new Array<string | undefined>(partitions).fill(undefined)
        const urlOf = (walletId: string) => {
          const partition = partitionOf(walletId, partitions)
          return epochOf(partition) === undefined ? urls[partition] : own
        }
        const told = (partition: number, url: string | undefined) => {
          if (url === urls[partition]) return
          urls[partition] = url !== undefined && isNodeUrl(url) ? url : undefined
        }
        return Context.make(OwnerUrls, { own, told }).pipe(Context.add(WalletNodes, { urlOf }))
      })
    )
}
