/**
 * Ids of events, holds and transactions: UUIDv7, so that rows keyed by them are
 * written side by side. A service, so that a simulation can make them repeatable.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomUUID } from "node:crypto"

/** The random part of ids, 21 characters: a simulation draws it from its seed. */
export const IdTails = Context.Reference<() => string>("effect-wallet/actors/EventIds/IdTails", {
  defaultValue: () => () => randomUUID().slice(15)
})

export class EventIds extends Context.Service<
  EventIds,
  {
    /** Synchronous: one is needed per command. `time` in milliseconds. */
    readonly next: (time: number) => string
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
  return {
    // RFC 9562, 5.7: 48 bits of time, version, then the random rest of a v4 UUID.
    next: (time) => {
      if (time !== prefixTime) {
        prefixTime = time
        const hex = Math.floor(time).toString(16).padStart(12, "0")
        prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
      }
      return prefix + nextTail()
    }
  }
}
