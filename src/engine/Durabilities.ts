/**
 * What an answer says is durable. Where search reads the rows of Persistence, what is persisted is
 * indexed; where it has an index of its own, that is known only of those who have waited for it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { Await } from "../actors/Mailbox.ts"
import { SearchProgress } from "../search/SearchProgress.ts"
import type { Durability } from "./EngineApi.ts"

const indexed: Durability = Object.freeze({ committed: true, persisted: true, indexed: true })
const persisted: Durability = Object.freeze({ committed: true, persisted: true, indexed: false })
/** Of a dry run. */
export const nothingDurable: Durability = Object.freeze({ committed: false, persisted: false, indexed: false })
const committed: Durability = Object.freeze({ committed: true, persisted: false, indexed: false })

/** Of a caller who waits for the index: until when, by the clock that never goes back. Of others `undefined`. */
export type IndexDeadline = number | undefined

export interface Durabilities {
  /** Of a call that begins now. */
  readonly timed: <A, E>(wanted: Await, call: (deadline: IndexDeadline) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  /**
   * When it is committed, in these wallets, as of the version `since` or a later one; waits for the index as long as the
   * caller's wait goes.
   */
  readonly of: (
    isPersisted: boolean,
    walletIds: ReadonlyArray<string>,
    deadline: IndexDeadline,
    since?: number
  ) => Effect.Effect<Durability>
}

export const makeDurabilities = Effect.fnUntraced(function* ({
  callerWaitMillis
}: Pick<ActorBounds, "callerWaitMillis">): Effect.fn.Return<Durabilities, never, SearchProgress> {
  const { index } = yield* SearchProgress
  const clock = yield* Clock.Clock
  return {
    timed: (wanted, call) =>
      wanted === "indexed" && index !== undefined
        ? Effect.suspend(() => call(elapsedMillis(clock) + callerWaitMillis))
        : call(undefined),
    of: (isPersisted, walletIds, deadline, since) => {
      if (!isPersisted) return Effect.succeed(committed)
      if (index === undefined) return Effect.succeed(indexed)
      // While the index is known to be away nobody waits: who waits keeps room from other commands.
      if (deadline === undefined || index.load().trouble !== undefined) return Effect.succeed(persisted)
      return Effect.suspend(() =>
        Effect.map(
          Effect.timeoutOption(index.shows(walletIds, since), Math.max(0, deadline - elapsedMillis(clock))),
          Option.match({ onNone: () => persisted, onSome: (isShown) => (isShown ? indexed : persisted) })
        )
      )
    }
  }
})
