/**
 * Ids of events, holds and nodes, all UUIDv7. A service, so that a simulation can make
 * them repeatable.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomUUID } from "node:crypto"
import { eventIdOf, idPrefix } from "../domain/EventId.ts"

/** The random part of ids, 21 characters: a simulation draws it from its seed. */
export const IdTails = Context.Reference<() => string>("effect-wallet/actors/EventIds/IdTails", {
  defaultValue: () => () => randomUUID().slice(15)
})

export class EventIds extends Context.Service<
  EventIds,
  {
    /** Synchronous: one is needed per command. `time` in milliseconds. */
    readonly next: (time: number) => string
    /** Of an event of the wallet with that tag (`domain/EventId.ts`). `time`: the event's. */
    readonly nextOfWallet: (time: number, tag: string) => string
  }
>()("effect-wallet/actors/EventIds") {
  static readonly layer = Layer.effect(
    EventIds,
    Effect.map(IdTails, (nextTail) => make(nextTail))
  )
}

const make = (nextTail: () => string): EventIds["Service"] => {
  let prefixTime = -1
  let prefix = ""
  let count = 0
  const prefixOf = (time: number): string => {
    if (time !== prefixTime) {
      prefixTime = time
      prefix = idPrefix(time)
    }
    return prefix
  }
  return {
    next: (time) => prefixOf(time) + nextTail(),
    nextOfWallet: (time, tag) => eventIdOf(prefixOf(time), ++count, nextTail(), tag)
  }
}
