/** Which wallets are told to be unloadable, while stores come and go. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { UnloadedWallets } from "../../src/actors/UnloadedWallets.ts"
import { StoreDefect, StoreUnavailable } from "../../src/stores/StoreError.ts"

const away = Effect.fail(new StoreUnavailable({ store: "log", reason: "away", retryAfter: 1 }))
const damaged = Effect.fail(new StoreDefect({ store: "log", reason: "a gap" }))

const watching = <A>(
  use: (
    watch: (walletId: string, load: Effect.Effect<void, StoreUnavailable | StoreDefect>) => Effect.Effect<void>,
    told: () => ReadonlyArray<string>,
    lines: ReadonlyArray<string>
  ) => Effect.Effect<A>
) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  return Effect.gen(function* () {
    const unloaded = yield* UnloadedWallets
    return yield* use(
      (walletId, load) => Effect.ignore(unloaded.watch(walletId, load)),
      () => unloaded.all().map(({ walletId }) => walletId),
      lines
    )
  }).pipe(Effect.provide([UnloadedWallets.layer, Logger.layer([logger])]))
}

describe("a wallet that was not loaded", () => {
  it.effect("in two outages, with others loaded between them, is not named for it", () =>
    watching((watch, told, lines) =>
      Effect.gen(function* () {
        for (let outage = 0; outage < 2; outage++) {
          for (let tries = 0; tries < 5; tries++) yield* watch("a", away)
          for (let others = 0; others < 10; others++) yield* watch(`b${others}`, Effect.void)
        }
        assert.deepStrictEqual([told(), lines], [[], []])
      })
    )
  )

  it.effect("time and again, with others loaded between its tries, is named, until it is loaded", () =>
    watching((watch, told, lines) =>
      Effect.gen(function* () {
        for (let tries = 0; tries < 4; tries++) {
          yield* watch("a", away)
          yield* watch("b", Effect.void)
        }
        assert.deepStrictEqual(told(), ["a"])
        yield* watch("a", Effect.void)
        assert.deepStrictEqual(told(), [])
        assert.deepStrictEqual(lines, [
          "Error wallet a cannot be loaded: the log store is unavailable: away",
          "Info wallet a can be loaded again"
        ])
      })
    )
  )

  it.effect("because it is damaged is named also behind an outage that met thousands of others", () =>
    watching((watch, told, lines) =>
      Effect.gen(function* () {
        yield* watch("first", damaged)
        for (let others = 0; others < 3_000; others++) yield* watch(`w${others}`, away)
        yield* watch("a", damaged)
        yield* watch("a", damaged)
        assert.deepStrictEqual(told(), ["first", "a"])
        assert.lengthOf(lines, 2)
      })
    )
  )
})
