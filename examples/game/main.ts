/**
 * Two players: quests, a purchase, gems changed for gold, a trade, and what the rules are against. Run it twice: nothing
 * happens twice.
 *
 *   node --conditions=effect-wallet-source examples/game/main.ts [folder]
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Logger } from "effect"
import { WalletEngine } from "effect-wallet"
import { Economy, type EconomyFailed, type NotAllowed, policy } from "./Economy.ts"

const program = Effect.gen(function* () {
  const economy = yield* Economy
  yield* economy.open("ann")
  yield* economy.open("ben")
  yield* economy.reward("ann", "dragon", { currency: "GEMS", amount: 30n })
  yield* economy.reward("ben", "rats", { currency: "GOLD", amount: 900n })

  yield* economy.buy("ben", "sword-1", { currency: "GOLD", amount: 350n })
  yield* economy.changeGems("ann", "1", 10n)
  yield* economy.trade(
    "1",
    { player: "ann", gives: { currency: "GEMS", amount: 5n } },
    { player: "ben", gives: { currency: "GOLD", amount: 400n } }
  )

  yield* refused("no castle", economy.buy("ben", "castle", { currency: "GOLD", amount: 90_000n }))
  yield* refused(
    "no trade",
    economy.trade(
      "2",
      { player: "ann", gives: { currency: "GEMS", amount: 5n } },
      { player: "ben", gives: { currency: "GOLD", amount: 151n } }
    )
  )
  yield* refused("no treasure", economy.reward("ann", "treasure", { currency: "GOLD", amount: 4_000n }))

  for (const player of ["ann", "ben"]) {
    const { GEMS, GOLD } = yield* economy.balances(player)
    yield* Console.log(`${player}: ${GOLD} gold, ${GEMS} gems`)
  }
})

const refused = (what: string, step: Effect.Effect<void, NotAllowed | EconomyFailed>) =>
  Effect.catchTag(step, "NotAllowed", ({ reason }) => Console.log(`${what}: ${reason}`))

const dataDir = process.argv[2] ?? ".wallets/game"

program.pipe(
  Effect.provide(Economy.layer.pipe(Layer.provideMerge(WalletEngine.layerEmbedded({ dataDir, policy })))),
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)
