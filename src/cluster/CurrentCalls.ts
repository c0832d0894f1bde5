/** Reads of wallets wherever they are: from this node's own, else from the owner, until the caller's wait ends. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import type { NotOwner, Ownership } from "../actors/Ownership.ts"
import type { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { decodeCurrent, encodeQuestion } from "./CallCodec.ts"
import type { OwnersService } from "./Owners.ts"

/** Before the next owner is asked, ms. */
const pauseMillis = 50

export const makeCurrent = (context: {
  readonly bounds: ActorBounds
  readonly clock: Clock.Clock
  readonly ownership: Ownership["Service"]
  readonly owners: OwnersService
  readonly registry: WalletRegistry["Service"]
}) => {
  const { bounds, clock, owners, ownership, registry } = context

  /** `NoWord`: nobody has answered; a read may be asked again as often as one likes. */
  const remote = Effect.fnUntraced(function* (walletId: string, minVersion: number, partition: number) {
    if (owners.isHere(partition)) return noWord
    const answered = yield* Effect.result(owners.current(partition, encodeQuestion({ walletId, minVersion })))
    if (Result.isFailure(answered)) return noWord
    const current = decodeCurrent(answered.success)
    if (Result.isFailure(current)) return noWord
    switch (current.success._tag) {
      case "Current":
        return { _tag: "Word" as const, wallet: current.success.wallet ?? undefined }
      case "Failed":
        return yield* current.success.error
      case "NotOwner":
      case "Defect":
        return noWord
    }
  })

  const ask = (walletId: string, minVersion: number) => {
    const partition = partitionOf(walletId, ownership.partitions)
    if (ownership.epochOf(partition) === undefined) return remote(walletId, minVersion, partition)
    return registry.current(walletId, minVersion).pipe(
      Effect.map((wallet) => ({ _tag: "Word" as const, wallet })),
      Effect.catchTag("NotOwner", (_: NotOwner) => Effect.succeed(noWord))
    )
  }

  return Effect.fnUntraced(function* (
    walletId: string,
    minVersion: number
  ): Effect.fn.Return<Wallet | undefined, CommandError> {
    const until = clock.currentTimeMillisUnsafe() + bounds.callerWaitMillis
    while (true) {
      const word = yield* ask(walletId, minVersion)
      if (word._tag === "Word") return word.wallet
      if (clock.currentTimeMillisUnsafe() >= until) return yield* unreachable(walletId)
      yield* Effect.sleep(pauseMillis)
    }
  })
}

const noWord = { _tag: "NoWord" } as const

const unreachable = (walletId: string) =>
  new StoreUnavailable({
    store: "leases",
    reason: `the owner of wallet ${walletId} could not be reached in time`,
    retryAfter: 1_000
  })
