/**
 * How the engine reaches a wallet: puts a command into its owner's mailbox and waits
 * for the answer. Here the owner is this node; a cluster's router stands in the same
 * place and asks another node where it has to.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CommandError } from "../actors/EngineError.ts"
import type { Await, Reply } from "../actors/Mailbox.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { Command } from "../domain/Command.ts"
import type { CommandKey } from "../domain/Event.ts"
import { fingerprintOf } from "../domain/Fingerprint.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { CommandMetrics } from "./CommandMetrics.ts"
import { traced } from "./CommandTrace.ts"

/** A command as its wallet's owner needs it. Plain data: it may have to travel. */
export interface WalletCall {
  readonly command: Command
  readonly key: CommandKey
  readonly actor: string | null
  readonly correlationId: string | null
  /** How far to wait. The answer says what was reached when the caller's wait ran out. */
  readonly await: Await
  /** Look the key up even beyond the retention (imports, the steps of transfers). */
  readonly lookUpAlways: boolean
  /** Size of the free texts it carries, roughly. */
  readonly bytes: number
}

export class WalletCalls extends Context.Service<
  WalletCalls,
  {
    readonly ask: (call: WalletCall) => Effect.Effect<Reply, CommandError>
    /** The state as of the last commit, at least at `minVersion`; `undefined`: there is no such wallet. */
    readonly current: (walletId: string, minVersion: number) => Effect.Effect<Wallet | undefined, CommandError>
  }
>()("effect-wallet/engine/WalletCalls") {
  /** All wallets are this node's. */
  static readonly layerLocal = Layer.effect(
    WalletCalls,
    Effect.gen(function* () {
      const registry = yield* WalletRegistry
      const clock = yield* Clock.Clock
      const metrics = yield* CommandMetrics
      const offered = (call: WalletCall) =>
        Effect.callback<Reply, CommandError>((resume) => {
          const offeredAt = clock.currentTimeMillisUnsafe()
          const { _tag: kind } = call.command
          const refusal = registry.offer({
            _tag: "Envelope",
            command: call.command,
            key: call.key,
            fingerprint: fingerprintOf(call.command),
            actor: call.actor,
            correlationId: call.correlationId,
            bytes: call.bytes,
            lookUpAlways: call.lookUpAlways,
            await: call.await,
            resume: (answer) => {
              metrics.answered(kind, offeredAt, answer)
              resume(answer)
            },
            offeredAt,
            stage: "waiting"
          })
          if (refusal === undefined) return
          const refused = Effect.fail(refusal)
          metrics.answered(kind, offeredAt, refused)
          resume(refused)
        })
      return WalletCalls.of({ ask: (call) => traced(offered(call), call), current: registry.current })
    })
  )
}
