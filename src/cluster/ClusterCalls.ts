/**
 * `WalletCalls` of a node among several: a wallet of this node's is asked through its
 * mailbox, every other through its owner.
 *
 * What waits for an owner waits in the wallet's queue, in order; a queue stays in front of
 * its wallet until it is empty, also when the wallet has become this node's meanwhile:
 * one way per wallet at a time. A call that comes back from a mailbox because the wallet
 * was lost goes into the queue, before what was asked after it.
 *
 * A call without an answer is sent again with its key until its caller's wait ends: its
 * owner knows the key. What was sent once without an answer can never again be called
 * failed for certain, only done or unknown.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import * as Deadlines from "../actors/Deadlines.ts"
import type { Reply } from "../actors/Mailbox.ts"
import { type NotOwner, Ownership } from "../actors/Ownership.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { CommandMetrics } from "../engine/CommandMetrics.ts"
import { traced } from "../engine/CommandTrace.ts"
import { type WalletCall, WalletCalls } from "../engine/WalletCalls.ts"
import { decodeCurrentReply, encodeCurrentRequest } from "./CallCodec.ts"
import { CallRouter, unreachable } from "./CallRouter.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import { OwnerClient } from "./OwnerClient.ts"
import { OwnerUrls } from "./OwnerUrls.ts"

/** Before the next owner is asked, ms. */
const pauseMillis = 50

/** Reads of wallets wherever they are: from this node's own, else from the owner, until the caller's wait ends. */
const makeCurrent = (context: {
  readonly bounds: ActorBounds
  readonly clock: Clock.Clock
  readonly ownership: Ownership["Service"]
  readonly owners: OwnerClient["Service"]
  readonly urls: OwnerUrls["Service"]
  readonly registry: WalletRegistry["Service"]
}) => {
  const { bounds, clock, owners, ownership, registry, urls } = context

  const nobody = (partition: number) => {
    urls.told(partition, undefined)
    return noAnswer
  }

  const remote = Effect.fnUntraced(function* (walletId: string, minVersion: number, partition: number) {
    if (owners.isLocal(partition)) return noAnswer
    const answered = yield* Effect.result(owners.current(partition, encodeCurrentRequest({ walletId, minVersion })))
    if (Result.isFailure(answered)) return nobody(partition)
    const reply = decodeCurrentReply(answered.success)
    if (Result.isFailure(reply)) return nobody(partition)
    switch (reply.success._tag) {
      case "Current":
        urls.told(partition, reply.success.url)
        return Option.some(reply.success.wallet ?? undefined)
      case "Failed":
        return yield* reply.success.error
      case "NotOwner":
      case "Defect":
        return nobody(partition)
    }
  })

  const ask = (walletId: string, minVersion: number) => {
    const partition = partitionOf(walletId, ownership.partitions)
    if (ownership.epochOf(partition) === undefined) return remote(walletId, minVersion, partition)
    return registry.current(walletId, minVersion).pipe(
      Effect.map(Option.some),
      Effect.catchTag("NotOwner", (_: NotOwner) => Effect.succeed(noAnswer))
    )
  }

  return Effect.fnUntraced(function* (
    walletId: string,
    minVersion: number
  ): Effect.fn.Return<Wallet | undefined, CommandError> {
    const until = Deadlines.elapsedMillis(clock) + bounds.callerWaitMillis
    while (true) {
      const answer = yield* ask(walletId, minVersion)
      if (Option.isSome(answer)) return answer.value
      if (Deadlines.elapsedMillis(clock) >= until) return yield* unreachable(walletId)
      yield* Effect.sleep(pauseMillis)
    }
  })
}

/** A read may be asked again as often as one likes. */
const noAnswer: Option.Option<Wallet | undefined> = Option.none()

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const registry = yield* WalletRegistry
  const ownership = yield* Ownership
  const owners = yield* OwnerClient
  const urls = yield* OwnerUrls
  const clock = yield* Clock.Clock
  const metrics = yield* CommandMetrics
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const router = new CallRouter({ bounds, registry, ownership, owners, urls, clock, metrics, fork })

  yield* Deadlines.enforce(bounds, (deadlines) => {
    router.endWaits(deadlines)
    return Metric.update(ClusterMetrics.waitingCommands, router.waiting)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => router.close()))

  const offered = (call: WalletCall) => Effect.callback<Reply, CommandError>((resume) => router.ask(call, resume))
  const calls = WalletCalls.of({
    ask: (call) => traced(offered(call), call),
    current: makeCurrent({ bounds, clock, ownership, owners, registry, urls }),
    knownVersion: (walletId) => registry.inspect(walletId)?.version
  })
  return Context.make(WalletCalls, calls).pipe(Context.add(OutgoingCalls, { waiting: () => router.waiting }))
})

/** The number of commands in flight to the owners of other nodes' wallets, or waiting for one. */
export class OutgoingCalls extends Context.Service<OutgoingCalls, { readonly waiting: () => number }>()(
  "effect-wallet/cluster/OutgoingCalls"
) {}

export const layer = (bounds: ActorBounds) => Layer.effectContext(make(bounds))
