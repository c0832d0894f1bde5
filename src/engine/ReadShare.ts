/**
 * The share of a node that queries may have: so many at a time, fair between readers, and
 * while wallets have commands in hand only a part of the time. What lists, looks into the
 * past or follows the log can wait; a command cannot.
 *
 * A read has a turn. Where commands were in hand while it worked, its turn rests afterwards
 * for as many times as long as it took. What it took counts to the end of the turn of the
 * event loop in which its answer is on its way; so it is the longer, the busier the node and
 * the store are, and reads give way by themselves. An idle node is all theirs.
 *
 * One turn is never a search's: lists of single wallets have theirs, however slow search is. A
 * search of an index of its own takes none of the turns: it has a bound of its own, and one rest for all. Those that may keep
 * the index at work for as long as a search may take have few of its places, and no reader has all of those.
 *
 * Rejected: a fixed rate, which is right on one machine; and turns without rests, with which
 * four readers take half of a thread that commands need whole.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PartitionedSemaphore from "effect/PartitionedSemaphore"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { RateLimited } from "../actors/EngineError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"

/** On whose behalf a query is asked: an API key's id, say. Turns are fair between readers. */
export const Reader = Context.Reference<string>("effect-wallet/engine/ReadShare/Reader", { defaultValue: () => "" })

/** A turn rests no longer than this, ms: a store that was away for seconds is no reason to wait for minutes. */
const maxRestMillis = 1_000

/** Searches of an index of its own that are asked at once: it does the work, this node hands on what it says. */
const searchesAtOnce = 16

/**
 * Milliseconds that each of these rests beside commands, however long it took: that was the index's time. A search is
 * more than a millisecond of this node's, so that at most 160 a second take a fifth of its thread.
 */
const indexRestMillis = 100

/**
 * Of these so many are beginnings of words or statistics, each on a thread of the index for seconds: it has four threads
 * for searches on a machine of two cores, and one is left for all others whatever is asked.
 */
const slowSearchesAtOnce = 3
/** … and so many of one reader. */
const slowSearchesOfReader = 2

/** Milliseconds: what a caller that was refused is told at least, and at most, to wait. */
const minRetryMillis = 1_000
const maxRetryMillis = 30_000

export class ReadShare extends Context.Service<
  ReadShare,
  {
    /** One query of the {@link Reader} in context. `RateLimited`: its turn has not come within the wait of a read. */
    readonly query: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RateLimited, R>
    /** The same of a search. */
    readonly search: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RateLimited, R>
    /** The same of a search that goes to an index of its own. */
    readonly searchIndex: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RateLimited, R>
    /** The same of one that may take as long as a search may take. */
    readonly searchIndexSlowly: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RateLimited, R>
    /** A follower's next page: its turn is waited for, however long. */
    readonly page: <A, E, R>(reader: string, read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("effect-wallet/engine/ReadShare") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(ReadShare, make(bounds))
}

type Permits = Pick<PartitionedSemaphore.PartitionedSemaphore<string>, "take" | "release">

/** What a read takes, in this order, and gives back after its rest. */
type Turn = ReadonlyArray<Permits>

/** So many permits for each reader, kept as long as somebody has one or waits for one. */
const makeOfReaders = (permits: number) => {
  const readers = new Map<
    string,
    { readonly semaphore: PartitionedSemaphore.PartitionedSemaphore<string>; users: number }
  >()
  return (reader: string): Permits => {
    let own = { semaphore: PartitionedSemaphore.makeUnsafe<string>({ permits }), users: 0 }
    const done = Effect.sync(() => void (--own.users === 0 && readers.delete(reader)))
    return {
      take: (key, count) =>
        Effect.suspend(() => {
          own = readers.get(reader) ?? own
          readers.set(reader, own)
          own.users++
          return Effect.onError(own.semaphore.take(key, count), () => done)
        }),
      release: (count) =>
        Effect.tap(
          Effect.suspend(() => own.semaphore.release(count)),
          done
        )
    }
  }
}

/** The turns of a node's reads, each with its rest. */
const makeTurns = Effect.fnUntraced(function* ({ readRestFactor, readsAtOnce }: ActorBounds) {
  const clock = yield* Clock.Clock
  const registry = yield* WalletRegistry
  const turns = PartitionedSemaphore.makeUnsafe<string>({ permits: readsAtOnce })
  const searches = PartitionedSemaphore.makeUnsafe<string>({ permits: Math.max(1, readsAtOnce - 1) })
  const ofAny: Turn = [turns]
  const index = PartitionedSemaphore.makeUnsafe<string>({ permits: searchesAtOnce })
  const slow = PartitionedSemaphore.makeUnsafe<string>({ permits: slowSearchesAtOnce })
  const ofIndex: Turn = [index]
  const ofReader = makeOfReaders(slowSearchesOfReader)
  const ofSearch: Turn = [searches, turns]
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  /** How long a turn has lasted of late, with its rest, ms. */
  let turnMillis = 0

  const isOfIndex = (turn: Turn) => turn.at(-1) === index

  const isBusy = () => registry.load().busyWallets > 0

  const release = (turn: Turn) => Effect.forEach(turn, (semaphore) => semaphore.release(1), { discard: true })

  const end = (turn: Turn, startedAt: number) =>
    Effect.suspend(() => {
      if (!isOfIndex(turn)) turnMillis += (elapsedMillis(clock) - startedAt - turnMillis) / 8
      return release(turn)
    })

  const rest = (turn: Turn, startedAt: number) =>
    Effect.yieldNow.pipe(
      Effect.andThen(
        Effect.suspend(() => {
          const took = elapsedMillis(clock) - startedAt
          return Effect.sleep(isOfIndex(turn) ? indexRestMillis : Math.min(maxRestMillis, readRestFactor * took))
        })
      ),
      Effect.ensuring(end(turn, startedAt))
    )

  /** The rest is behind the reader's back: it has its answer. */
  const leave = (turn: Turn, startedAt: number, wasBusy: boolean) =>
    Effect.suspend(() => {
      if (!wasBusy && !isBusy()) return end(turn, startedAt)
      fork(rest(turn, startedAt))
      return Effect.void
    })

  /** `wait` goes around the waiting, and may end it. A turn that came as the wait ended is given back. */
  const inTurn = <A, E, E2, R>(
    turn: Turn,
    reader: string,
    wait: (take: Effect.Effect<void>) => Effect.Effect<void, E2>,
    read: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | E2, R> =>
    Effect.uninterruptibleMask((restore) => {
      let taken = 0
      const take = Effect.forEach(
        turn,
        (semaphore) =>
          Effect.andThen(
            semaphore.take(reader, 1),
            Effect.sync(() => void taken++)
          ),
        { discard: true }
      )
      return restore(wait(take)).pipe(
        Effect.onError(() => release(turn.slice(0, taken))),
        Effect.andThen(
          Effect.suspend(() => {
            const startedAt = elapsedMillis(clock)
            const wasBusy = isBusy()
            return Effect.onExit(restore(read), () => leave(turn, startedAt, wasBusy))
          })
        )
      )
    })

  const ofSlowSearch = (reader: string): Turn => [ofReader(reader), slow, index]

  return { inTurn, ofAny, ofSearch, ofIndex, ofSlowSearch, turnMillis: () => turnMillis }
})

/** Waits for a turn, within the wait of a read; so many wait at most, and half of them of one reader. */
const makeWaiting = (bounds: ActorBounds, atOnce: number, turnMillis: () => number) => {
  const waitingOf = new Map<string, number>()
  let waiting = 0

  const count = (reader: string, change: 1 | -1) => {
    waiting += change
    const own = (waitingOf.get(reader) ?? 0) + change
    if (own === 0) waitingOf.delete(reader)
    else waitingOf.set(reader, own)
  }

  /** Says when those that wait now will have had their turns. */
  const refusal = () => {
    const retryAfter = Math.round(Math.min(maxRetryMillis, Math.max(minRetryMillis, (waiting * turnMillis()) / atOnce)))
    return new RateLimited({ detail: "too many reads are waiting", retryAfter })
  }

  return (reader: string) =>
    (turn: Effect.Effect<void>): Effect.Effect<void, RateLimited> =>
      Effect.suspend(() => {
        const isFull = waiting >= bounds.readsWaiting || (waitingOf.get(reader) ?? 0) >= bounds.readsWaiting / 2
        if (isFull) return Effect.fail(refusal())
        count(reader, 1)
        return turn.pipe(
          Effect.timeoutOrElse({
            duration: bounds.readWaitMillis,
            orElse: () => Effect.suspend(() => Effect.fail(refusal()))
          }),
          Effect.ensuring(Effect.sync(() => count(reader, -1)))
        )
      }).pipe(Effect.tapError(() => Metric.update(EngineMetrics.readsRefused, 1)))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const { inTurn, ofAny, ofIndex, ofSearch, ofSlowSearch, turnMillis } = yield* makeTurns(bounds)
  const inTime = makeWaiting(bounds, bounds.readsAtOnce, turnMillis)
  const inTimeOfIndex = makeWaiting(bounds, searchesAtOnce, turnMillis)
  const inTimeSlowly = makeWaiting(bounds, slowSearchesAtOnce, turnMillis)

  return ReadShare.of({
    query: (read) => Effect.flatMap(Reader, (reader) => inTurn(ofAny, `query ${reader}`, inTime(reader), read)),
    search: (read) => Effect.flatMap(Reader, (reader) => inTurn(ofSearch, `query ${reader}`, inTime(reader), read)),
    searchIndex: (read) =>
      Effect.flatMap(Reader, (reader) => inTurn(ofIndex, `query ${reader}`, inTimeOfIndex(reader), read)),
    searchIndexSlowly: (read) =>
      Effect.flatMap(Reader, (reader) => inTurn(ofSlowSearch(reader), `query ${reader}`, inTimeSlowly(reader), read)),
    page: (reader, read) => inTurn(ofAny, `feed ${reader}`, (turn) => turn, read)
  })
})
