/**
 * Ownership of a single node: it claims every partition at start, in one call. A
 * second process on the same database claims them too and thereby fences this
 * one: the log refuses all its appends from then on.
 */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ApiKeyStore } from "../stores/ApiKeyStore.ts"
import { EventStore } from "../stores/EventStore.ts"
import { NodeIdentity } from "./NodeIdentity.ts"
import { Ownership } from "./Ownership.ts"

/** The installation was made with another number of partitions; claims and hashes depend on it. */
export class PartitionsMismatch extends Schema.TaggedError<PartitionsMismatch>()("PartitionsMismatch", {
  installed: Schema.Int,
  configured: Schema.Int
}) {
  override get message(): string {
    return (
      `this installation has ${this.installed} partitions, ${this.configured} are configured: ` +
      `set the number back to ${this.installed}`
    )
  }
}

/** Against the installation's record, which the first start makes. */
export const checkPartitions = Effect.fnUntraced(function* (options: { readonly partitions: number }) {
  const installation = yield* (yield* ApiKeyStore).installation(options)
  if (installation.partitions !== options.partitions) {
    return yield* new PartitionsMismatch({ installed: installation.partitions, configured: options.partitions })
  }
})

export const make = Effect.fnUntraced(function* (options: { readonly partitions: number }) {
  const log = yield* EventStore
  yield* checkPartitions(options)
  const { owner } = yield* NodeIdentity
  const now = yield* Clock.currentTimeMillis
  const claims = yield* log.claim({
    partitions: Array.from({ length: options.partitions }, (_, partition) => partition),
    owner,
    time: now
  })
  const epochs = new Array<number | undefined>(options.partitions)
  for (const claim of claims) epochs[claim.partition] = claim.epoch
  const lost = Deferred.makeUnsafe<string>()
  let owns = true
  return Ownership.of({
    partitions: options.partitions,
    epochOf: (partition) => (owns ? epochs[partition] : undefined),
    fenced: (partition, epoch) => {
      if (!owns || epochs[partition] !== epoch) return
      owns = false
      Deferred.doneUnsafe(
        lost,
        Effect.succeed("another process has claimed the wallets of this database; this one can no longer write")
      )
    },
    lost: Deferred.await(lost)
  })
})

export const layer = (options: { readonly partitions: number }) =>
  Layer.effectContext(Effect.map(make(options), (service) => Context.make(Ownership, service)))
