/** Rounds of credits: through the engine, and through the limit program beside it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import { EventIds } from "../src/actors/EventIds.ts"
import type { Ownership } from "../src/actors/Ownership.ts"
import { WalletEngine } from "../src/engine/WalletEngine.ts"
import type { EventStore } from "../src/stores/EventStore.ts"
import type { Persistence } from "../src/stores/Persistence.ts"
import { runCallbacks, runFibers } from "./ClosedLoop.ts"
import { type Distribution, walletChoice } from "../src/load/WalletChoice.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { CostProbe } from "./CostProbe.ts"
import type { Sample } from "./Figure.ts"
import { type LimitBounds, makeLimitProgram } from "./LimitProgram.ts"

/** Where the commands go, and from how many callers at once. */
export interface Load {
  readonly callers: number
  readonly distribution: Distribution
}

/** Wallets created at a time. */
const createdTogether = 1_024

/** Both programs draw from it. */
const seed = "effect-wallet bench"

/** Every round has wallets of its own: no round works on what another one has grown. */
const freshIds = Effect.fnUntraced(function* (count: number) {
  const ids = yield* EventIds
  const prefix = ids.next(yield* Clock.currentTimeMillis).slice(-8)
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
})

/** Empty wallets, their ids. */
export const createWallets = Effect.fnUntraced(function* (count: number) {
  const engine = yield* WalletEngine
  const ids = yield* freshIds(count)
  yield* Effect.forEach(
    ids,
    (id) => engine.createWallet({ id, ownerId: "bench", currency: "EUR", idempotencyKey: "create" }),
    { concurrency: createdTogether, discard: true }
  )
  return ids
})

/** Credits per second through the engine, `persisted`. Dies when the wallets do not have the money that was sent. */
export const engineRound = (
  settings: BenchSettings,
  load: Load
): Effect.Effect<Sample, never, WalletEngine | EventIds> =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const probe = yield* CostProbe
    const ids = yield* createWallets(load.distribution.wallets)
    const choose = yield* walletChoice(load.distribution, seed)
    let total = 0
    const sample = yield* probe.measure(
      Effect.map(
        runFibers({ ...settings, callers: load.callers }, (n) =>
          engine.credit({ walletId: ids[choose()] as string, amount: 1n, idempotencyKey: `k${n}` })
        ),
        (result) => {
          total = result.total
          return { perSecond: result.perSecond, events: total }
        }
      )
    )
    const wallets = yield* Effect.forEach(ids, (walletId) => engine.getWallet({ walletId }))
    const money = wallets.reduce((sum, wallet) => sum + wallet.balance, 0n)
    if (money !== BigInt(total)) {
      return yield* Effect.die(new Error(`${total} credits were answered, the wallets have ${money}`))
    }
    return sample
  }).pipe(Effect.orDie)

/** Credits per second through the limit program, within the bounds of an append. */
export const limitRound = (
  settings: BenchSettings,
  load: Load,
  bounds: LimitBounds
): Effect.Effect<Sample, never, EventStore | Persistence | Ownership | EventIds> =>
  Effect.scoped(
    Effect.gen(function* (): Effect.fn.Return<Sample, never, EventStore | Persistence | Ownership | EventIds | Scope> {
      const probe = yield* CostProbe
      const ids = yield* freshIds(load.distribution.wallets)
      const program = yield* makeLimitProgram(ids, bounds)
      const choose = yield* walletChoice(load.distribution, seed)
      return yield* probe.measure(
        Effect.map(
          runCallbacks({ ...settings, callers: load.callers }, (_, answered) => program.credit(choose(), answered)),
          ({ perSecond, total }) => ({ perSecond, events: total })
        )
      )
    })
  )

/**
 * The limit program's round, in the better of two ways. All callers in one append
 * make the fewest appends; half of them in each keeps the database busy while the
 * other half is answered. Which is faster depends on what a flush costs: tried first.
 */
export const bestLimitRound = Effect.fnUntraced(function* (settings: BenchSettings, load: Load) {
  const all = defaultBounds
  const half = { ...defaultBounds, appendEvents: Math.ceil(load.callers / 2) }
  const trial = { ...settings, millis: settings.millis / 2 }
  if (load.callers === 1) return limitRound(settings, load, all)
  const together = yield* limitRound(trial, load, all)
  const inHalves = yield* limitRound(trial, load, half)
  return limitRound(settings, load, inHalves.value > together.value ? half : all)
})
