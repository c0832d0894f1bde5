/**
 * Which events of the log this process may give to Persistence: those of a claim that stands are its
 * owner's to write, and nobody else's. So the owner knows of all that it has appended whether
 * anybody can have been told that it is persisted; the rest anybody may bring up to the log.
 */
import * as Effect from "effect/Effect"
import { partitionOf } from "../domain/Partition.ts"
import type { Ownership } from "../actors/Ownership.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { ReversibleEvents } from "./ReversibleEvents.ts"
import type { WriterContext } from "./PersistenceWriter.ts"

export const ownShareOf =
  (
    log: EventStore["Service"],
    ownership: Ownership["Service"],
    reversible: ReversibleEvents
  ): WriterContext["ownShare"] =>
  (walletId, events) =>
    Effect.suspend(() => {
      const last = events[events.length - 1]
      const partition = partitionOf(walletId, ownership.partitions)
      const mine = ownership.epochOf(partition)
      // The owner, whose claim is the last that this wallet has seen: nothing is another's.
      if (last === undefined || (mine !== undefined && last.metadata.epoch <= mine))
        return Effect.succeed(events.length)
      return Effect.map(log.epochOf(partition), (standing) => {
        const first = events.findIndex(
          ({ metadata, version }) => metadata.epoch === standing && !reversible.isOwn(walletId, version)
        )
        return first === -1 ? events.length : first
      })
    })
