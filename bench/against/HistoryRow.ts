/**
 * Wallets with a long past against fresh ones, both after a restart. Each round has
 * wallets that nobody has touched since their past was written through the library,
 * before the first round.
 */
import * as Effect from "effect/Effect"
import type { Row } from "../Figure.ts"
import { creditsAfterRestart, kinds, pastAgainstFresh } from "./AfterRestart.ts"
import type { WalletNames } from "./AgainstProtocol.ts"
import { startLibrary } from "./Checkout.ts"
import { type Against, openSides, type Side, type Store } from "./Side.ts"

const wallets = 20

const callers = 512

const walletsOf = (prefix: string): WalletNames => ({ prefix, count: wallets })

const warm = walletsOf("warm")

const writePast = ({ settings: { pastKeys, rounds } }: Against, { checkout, place }: Side) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(checkout, place)
    yield* library.ask({ _tag: "Create", ...warm })
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) yield* library.ask({ _tag: "Create", ...walletsOf(`${kind}${round}`) })
      yield* library.ask({ _tag: "History", ...walletsOf(`past${round}`), keys: pastKeys })
    }
  }).pipe(Effect.scoped)

export const historyRow = (against: Against, store: Store): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.gen(function* () {
    const sides = yield* openSides(against, store)
    for (const side of sides) yield* writePast(against, side)
    const keys = against.settings.pastKeys.toLocaleString("en")
    return yield* pastAgainstFresh(against, sides, {
      store,
      callers,
      names: {
        past: `${wallets} wallets with ${keys} keys each, after a restart`,
        fresh: `${wallets} fresh wallets, after a restart`
      },
      round: (side, kind, round) =>
        creditsAfterRestart(against, side, { warm, wallets: walletsOf(`${kind}${round}`), callers, zipf: 0 })
    })
  }).pipe(Effect.scoped)
