/**
 * How the engine reaches a wallet: puts a command into its owner's mailbox and waits
 * for the answer. Here the owner is this node; a cluster's router stands in the same
 * place and asks another node where it has to.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { CommandError } from "../actors/EngineError.ts"
import type { ActorError, Await, Envelope, Reply, Resend } from "../actors/Mailbox.ts"
import { NotOwner } from "../actors/Ownership.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { CommandKey } from "../domain/Event.ts"
import { fingerprintOf } from "../domain/Fingerprint.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import type { Metadata } from "../domain/Limits.ts"
import { noMetadata } from "../domain/Limits.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { CommandMetrics } from "./CommandMetrics.ts"
import { traced } from "./CommandTrace.ts"

/** A command as its wallet's owner needs it. Plain data: it may have to travel. */
export interface WalletCall {
  readonly command: RemoteCommand
  readonly key: CommandKey
  readonly actor: string | null
  readonly correlationId: string | null
  /** What the key that asks may take; absent: whatever. */
  readonly limit?: KeyLimit | undefined
  /** How far to wait. The answer says what was reached when the caller's wait ran out. */
  readonly await: Await
  /** The version that the wallet has to be at, where the command is not done yet; `null`: whichever. */
  readonly ifVersion: number | null
  /** To be judged, and not to be done. */
  readonly dryRun: boolean
  /** What it takes in a mailbox, roughly: {@link callBytes} and its free texts. For the mailbox's bound only. */
  readonly bytes: number
}

/** Of a call beside its free texts. */
export const callBytes = 256

export const textBytes = (text: string | null): number => (text === null ? 0 : 2 * text.length)

export const metadataBytes = (metadata: Metadata): number => {
  if (metadata === noMetadata) return 0
  let bytes = 0
  for (const key in metadata) bytes += 2 * (key.length + String(metadata[key]).length)
  return bytes
}

export class WalletCalls extends Context.Service<
  WalletCalls,
  {
    readonly ask: (call: WalletCall) => Effect.Effect<Reply, CommandError>
    /** The state as of the last commit, at least at `minVersion`; `undefined`: there is no such wallet. */
    readonly current: (walletId: string, minVersion: number) => Effect.Effect<Wallet | undefined, CommandError>
    /** The last version that this node's own actor knows of; `undefined`: it has none in memory. */
    readonly knownVersion: (walletId: string) => number | undefined
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
          const kind = kindOf(call)
          const answered = (answer: Effect.Effect<Reply, ActorError>) => {
            const told = forCallers(answer, call.command.walletId)
            metrics.answered(kind, offeredAt, told, wantedOf(call))
            resume(told)
          }
          const refusal = registry.offer(envelopeOf(call, offeredAt, answered))
          if (refusal !== undefined) answered(Effect.fail(refusal))
        })
      return WalletCalls.of({
        ask: (call) => traced(offered(call), call),
        current: (walletId, minVersion) =>
          Effect.catchTag(registry.current(walletId, minVersion), "NotOwner", () => noOwner(walletId)),
        knownVersion: (walletId) => registry.inspect(walletId)?.version
      })
    })
  )
}

/** As metrics name it: dry runs are none of the commands. */
export const kindOf = ({ command, dryRun }: WalletCall): string => (dryRun ? "DryRun" : command._tag)

/**
 * How far a client asked to wait; `undefined`: a dry run, or the engine's own step. The first step of a transfer has
 * its client's key, and is none of the client's commands: the transfer is, and is counted at its end.
 */
export const wantedOf = ({ await: wanted, command, dryRun, key }: WalletCall): Await | undefined =>
  dryRun || !key.startsWith("c:") || command._tag === "SendTransfer" || command._tag === "BeginLegs"
    ? undefined
    : wanted

export const envelopeOf = (
  call: WalletCall,
  offeredAt: number,
  resume: Envelope["resume"],
  resend?: Resend
): Envelope => ({
  _tag: "Envelope",
  command: call.command,
  key: call.key,
  fingerprint: fingerprintOf(call.command),
  actor: call.actor,
  correlationId: call.correlationId,
  limit: call.limit,
  bytes: call.bytes,
  await: call.await,
  ifVersion: call.ifVersion,
  dryRun: call.dryRun,
  resend,
  resume,
  offeredAt,
  stage: "waiting"
})

/** Of calls that are sent again, in order. One alone cannot be overtaken. */
export const resendOf = (keys: ReadonlyArray<CommandKey>): Resend | undefined =>
  keys.length > 1 ? { keys } : undefined

/** The answer of an actor that does not own the wallet; an answer is made by `succeed`, `fail` or `die`. */
export const isNotOwner = (answer: Effect.Effect<unknown, ActorError>): answer is Effect.Effect<never, NotOwner> =>
  Exit.isExit(answer) &&
  Exit.isFailure(answer) &&
  answer.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof NotOwner)

const noOwner = (walletId: string) =>
  Effect.fail(
    new StoreUnavailable({
      store: "leases",
      reason: `this node does not own wallet ${walletId} now`,
      retryAfter: 1_000
    })
  )

/** There is nobody else to ask. */
const forCallers = <A>(answer: Effect.Effect<A, ActorError>, walletId: string): Effect.Effect<A, CommandError> =>
  isNotOwner(answer) ? noOwner(walletId) : (answer as Effect.Effect<A, CommandError>)
