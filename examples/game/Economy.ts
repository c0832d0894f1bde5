/**
 * The economy of a game: each player has a wallet of GOLD and one of GEMS. What the game gives and takes goes through
 * wallets of its own: the treasury changes one currency into the other, the shop sells.
 *
 * What moves more than one wallet is one transfer of several legs: all of it happens, or nothing.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { Policies, WalletEngine } from "effect-wallet"

export type Currency = "GOLD" | "GEMS"

/** Neither has decimals: an amount is a number of coins, or of gems. */
export interface Price {
  readonly currency: Currency
  readonly amount: bigint
}

/** The most that a purse holds, of either currency; the game's own wallets have no bound. */
export const purseCap = 5_000n

/** Gold for one gem. */
export const goldPerGem = 100n

/** What stands in the way of a player. `reason` is for the screen. */
export class NotAllowed extends Schema.TaggedError<NotAllowed>()("NotAllowed", { reason: Schema.String }) {}

/** Try again with the same id: nothing happens twice. `cause` says what is wrong. */
export class EconomyFailed extends Schema.TaggedError<EconomyFailed>()("EconomyFailed", { cause: Schema.Defect() }) {}

const game = "game"
const cap = Policies.maxBalance({ amount: purseCap, name: "purse-cap" })

/** The rules of this game, for the layer of the engine. */
export const policy = [
  {
    ...cap,
    judge: (...[wallet, command, now, facts]: Parameters<typeof cap.judge>) =>
      wallet?.ownerId === game ? undefined : cap.judge(wallet, command, now, facts)
  }
]

const purse = (player: string, currency: Currency) => `${player}-${currency}`

export class Economy extends Context.Service<Economy>()("examples/game/Economy", {
  make: Effect.gen(function* () {
    const wallets = yield* WalletEngine

    const open = Effect.fn("Economy.open")(function* (player: string) {
      for (const currency of ["GOLD", "GEMS"] as const) {
        yield* wallets
          .createWallet({ id: purse(player, currency), ownerId: player, currency, idempotencyKey: "open" })
          .pipe(Effect.mapError(failed))
      }
    })

    /** Once per player and quest, however often the quest is reported. */
    const reward = Effect.fn("Economy.reward")(function* (player: string, quest: string, { amount, currency }: Price) {
      const idempotencyKey = `quest-${quest}`
      yield* wallets
        .credit({ walletId: purse(player, currency), amount, reference: `quest ${quest}`, idempotencyKey })
        .pipe(Effect.mapError(failed))
    })

    const buy = Effect.fn("Economy.buy")(function* (player: string, purchase: string, { amount, currency }: Price) {
      yield* wallets
        .transfer({
          from: purse(player, currency),
          to: purse(game, currency),
          amount,
          reference: `purchase ${purchase}`,
          idempotencyKey: `purchase-${purchase}`
        })
        .pipe(Effect.mapError(failed))
    })

    /** Gems into gold. The treasury has to have the gold: it makes none. */
    const changeGems = Effect.fn("Economy.changeGems")(function* (player: string, change: string, gems: bigint) {
      yield* wallets
        .transfer({
          legs: [
            { from: purse(player, "GEMS"), to: purse("treasury", "GEMS"), amount: gems },
            { from: purse("treasury", "GOLD"), to: purse(player, "GOLD"), amount: gems * goldPerGem }
          ],
          reference: `change ${change}`,
          idempotencyKey: `change-${change}`
        })
        .pipe(Effect.mapError(failed))
    })

    /** Both sides have agreed to it, and both have to have what they give. */
    const trade = Effect.fn("Economy.trade")(function* (
      id: string,
      one: { readonly player: string; readonly gives: Price },
      other: { readonly player: string; readonly gives: Price }
    ) {
      const gives = (from: string, to: string, { amount, currency }: Price) => ({
        from: purse(from, currency),
        to: purse(to, currency),
        amount
      })
      yield* wallets
        .transfer({
          legs: [gives(one.player, other.player, one.gives), gives(other.player, one.player, other.gives)],
          reference: `trade ${id}`,
          idempotencyKey: `trade-${id}`
        })
        .pipe(Effect.mapError(failed))
    })

    const balances = Effect.fn("Economy.balances")(function* (player: string) {
      const gold = yield* wallets.getWallet({ walletId: purse(player, "GOLD") }).pipe(Effect.mapError(failed))
      const gems = yield* wallets.getWallet({ walletId: purse(player, "GEMS") }).pipe(Effect.mapError(failed))
      return { GOLD: gold.balance, GEMS: gems.balance }
    })

    for (const currency of ["GOLD", "GEMS"] as const) {
      for (const own of [game, "treasury"]) {
        yield* wallets
          .createWallet({ id: purse(own, currency), ownerId: game, currency, idempotencyKey: "open" })
          .pipe(Effect.mapError(failed))
      }
    }
    yield* wallets
      .credit({ walletId: purse("treasury", "GOLD"), amount: 1_000_000n, idempotencyKey: "mint" })
      .pipe(Effect.mapError(failed))
    return { open, reward, buy, changeGems, trade, balances }
  })
}) {
  static readonly layer = Layer.effect(Economy, Economy.make)
}

/** What the rules say is for the player, all else for whoever runs the game. */
const failed = (error: { readonly _tag: string; readonly message: string }) => {
  switch (error._tag) {
    case "InsufficientFunds":
    case "PolicyRejected":
    case "TransferReversed":
    case "WalletFrozen":
      return new NotAllowed({ reason: error.message })
    default:
      return new EconomyFailed({ cause: error })
  }
}
