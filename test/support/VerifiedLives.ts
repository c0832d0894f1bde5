/** Wallets for tests of `verify`, and stores whose rows move at each look. */
import * as Effect from "effect/Effect"
import { Persistence } from "../../src/stores/Persistence.ts"
import { create, credit, debit, hold, openLogBook } from "./LogLife.ts"

/** Two wallets with every kind of row. */
export const filled = Effect.gen(function* () {
  const book = yield* openLogBook
  const { perform } = book
  yield* perform(create("a"))
  yield* perform(create("b-1", "CZK"))
  yield* perform(credit("a", 1000n))
  yield* perform(debit("a", 100n))
  yield* perform(credit("b-1", 7n))
  yield* perform(hold("a", "h1", 50n))
  yield* perform(hold("a", "h2", 60n))
  yield* perform(hold("a", "h3", 70n))
  yield* perform({ _tag: "CaptureHold", walletId: "a", holdId: "h1", amount: 20n, final: true })
  yield* perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h2" })
  yield* perform({ _tag: "UpdateWallet", walletId: "a", overdraftLimit: 5n, metadata: { region: "east" } })
  return book
})

/** Every look at the rows of wallet `a` is followed by a move: a release, then new holds. */
export const movingAtEachLook = Effect.gen(function* () {
  const { perform } = yield* filled
  const persistence = yield* Persistence
  const counts = { moves: 0 }
  const move = Effect.suspend(() => {
    counts.moves += 1
    if (counts.moves === 1) return perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h3" })
    return counts.moves < 20 ? perform(hold("a", `m${counts.moves}`, 1n)) : Effect.void
  })
  const rowScan = persistence.rowScan!
  const moving = Persistence.of({
    ...persistence,
    wallet: (id) => Effect.tap(persistence.wallet(id), () => (id === "a" ? move : Effect.void)),
    rowScan: { ...rowScan, rows: (range, maxRows) => Effect.tap(rowScan.rows(range, maxRows), () => move) }
  })
  return { counts, moving }
})
