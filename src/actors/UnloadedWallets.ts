/**
 * Wallets that cannot be loaded, with the reason: told in the log once, and by health for as
 * long as it lasts. Nothing else shows it: a wallet that cannot be loaded has no actor.
 *
 * What is damaged is told at once. A store that is away for one wallet looks like one that
 * is away for all, so that is told when others were loaded between its tries, and it was not.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { CommandError } from "./EngineError.ts"

/** Wallets that are remembered, some 300 bytes each; those that an outage has left untold make room. */
const maxWallets = 1_000

/** So often in a row, with others loaded before each further try, it is not the store. */
const patience = 3

interface Failing {
  readonly reason: string
  /** Those of one outage are one, however far apart two outages are. */
  readonly tries: number
  /** Loads of any wallet that had succeeded when it last failed. */
  readonly loads: number
  readonly told: boolean
}

export interface UnloadedWallet {
  readonly walletId: string
  readonly reason: string
}

export class UnloadedWallets extends Context.Service<
  UnloadedWallets,
  {
    /** Watches one load of the wallet. */
    readonly watch: <A, E extends CommandError>(walletId: string, load: Effect.Effect<A, E>) => Effect.Effect<A, E>
    readonly all: () => ReadonlyArray<UnloadedWallet>
  }
>()("effect-wallet/actors/UnloadedWallets") {
  static readonly layer = Layer.sync(UnloadedWallets, () => make())
}

const isDamage = (cause: Cause.Cause<CommandError>): boolean =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => !Cause.hasInterrupts(cause),
    onSome: ({ _tag }) => _tag === "StoreDefect" || _tag === "EventUnreadable"
  })

const reasonOf = (cause: Cause.Cause<CommandError>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const make = (): UnloadedWallets["Service"] => {
  const failing = new Map<string, Failing>()
  let loads = 0

  /** `false`: all of them are told. */
  const makeRoom = (): boolean => {
    for (const [walletId, { told }] of failing) if (!told) return failing.delete(walletId)
    return false
  }

  const failed = (walletId: string, cause: Cause.Cause<CommandError>): Effect.Effect<void> => {
    if (Cause.hasInterrupts(cause)) return Effect.void
    const known = failing.get(walletId)
    if (known === undefined && failing.size >= maxWallets && !makeRoom()) return Effect.void
    const tries = known === undefined ? 1 : known.tries + (loads > known.loads ? 1 : 0)
    const tell = isDamage(cause) || tries >= patience
    const reason = reasonOf(cause)
    failing.set(walletId, { reason, tries, loads, told: tell || known?.told === true })
    if (!tell || known?.told === true) return Effect.void
    return Effect.logError(`wallet ${walletId} cannot be loaded: ${reason}`).pipe(Effect.annotateLogs({ walletId }))
  }

  const loaded = (walletId: string): Effect.Effect<void> => {
    loads++
    if (failing.size === 0) return Effect.void
    const known = failing.get(walletId)
    failing.delete(walletId)
    return known?.told === true
      ? Effect.logInfo(`wallet ${walletId} can be loaded again`).pipe(Effect.annotateLogs({ walletId }))
      : Effect.void
  }

  return {
    watch: (walletId, load) =>
      load.pipe(
        Effect.tapCause((cause) => failed(walletId, cause)),
        Effect.tap(() => loaded(walletId))
      ),
    all: () =>
      Array.from(failing)
        .filter(([, { told }]) => told)
        .map(([walletId, { reason }]) => ({ walletId, reason }))
  }
}
