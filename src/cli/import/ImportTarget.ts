/**
 * Where an import goes: the engine of this process, or a running service. Both take
 * the same commands with the same keys.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Metadata } from "../../domain/Limits.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { WalletClient } from "../../http/WalletClient.ts"

/** A command was not done, or it is not known whether it was. */
export class TargetFailed extends Schema.TaggedError<TargetFailed>()("TargetFailed", {
  /** The code of the problem, or the tag of the error. */
  code: Schema.String,
  reason: Schema.String,
  /** Worth a retry with the same key: the target is away or busy. */
  mayPass: Schema.Boolean
}) {
  override get message(): string {
    return this.reason
  }
}

export interface NewWallet {
  readonly walletId: string
  readonly ownerId: string
  readonly currency: string
  readonly overdraftLimit: bigint
  readonly idempotencyKey: string
}

export interface WalletMove {
  readonly walletId: string
  readonly direction: "credit" | "debit"
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
  readonly idempotencyKey: string
}

export interface Applied {
  /** `true`: an earlier import has done it. */
  readonly replayed: boolean
  /** The wallet's balance as of the command's own event, also when replayed. */
  readonly balance: bigint
  readonly currency: string
}

/** `HttpClientError`: no reply came; with the same key the command may be sent again. */
const passing = new Set([
  "MailboxFull",
  "RateLimited",
  "StoreUnavailable",
  "OutcomeUnknown",
  "IdempotencyInProgress",
  "HttpClientError"
])

interface Failure {
  readonly _tag: string
  readonly message: string
  readonly detail?: string | undefined
}

const failed = (error: Failure): TargetFailed =>
  new TargetFailed({ code: error._tag, reason: error.detail ?? error.message, mayPass: passing.has(error._tag) })

export class ImportTarget extends Context.Service<
  ImportTarget,
  {
    /** The wallet's currency; `undefined`: there is no such wallet. */
    readonly currencyOf: (walletId: string) => Effect.Effect<string | undefined, TargetFailed>
    readonly create: (wallet: NewWallet) => Effect.Effect<Applied, TargetFailed>
    readonly move: (move: WalletMove) => Effect.Effect<Applied, TargetFailed>
  }
>()("effect-wallet/cli/import/ImportTarget") {
  /** The engine of this process. */
  static readonly layerEngine = Layer.effect(
    ImportTarget,
    Effect.map(WalletEngine, (engine) =>
      ImportTarget.of({
        currencyOf: (walletId) =>
          engine.getWallet({ walletId }).pipe(
            Effect.map((wallet): string | undefined => wallet.currency),
            Effect.catchTag("WalletNotFound", () => Effect.undefined),
            Effect.mapError(failed)
          ),
        create: ({ walletId, ...input }) =>
          engine.createWallet({ id: walletId, ...input, actor: "import" }).pipe(
            Effect.map(({ replayed, wallet: { balance, currency } }) => ({ balance, currency, replayed })),
            Effect.mapError(failed)
          ),
        move: ({ direction, ...input }) =>
          engine[direction]({ ...input, actor: "import" }).pipe(
            Effect.map(({ replayed, wallet: { balance, currency } }) => ({ balance, currency, replayed })),
            Effect.mapError(failed)
          )
      })
    )
  )

  /** A running service. */
  static readonly layerClient = Layer.effect(
    ImportTarget,
    Effect.map(WalletClient, (client) => {
      const options = (idempotencyKey: string) =>
        ({ headers: { "idempotency-key": idempotencyKey }, query: {}, responseMode: "decoded-and-response" }) as const
      const isReplayed = (headers: Readonly<Record<string, string | undefined>>): boolean =>
        headers["idempotency-replayed"] === "true"
      return ImportTarget.of({
        currencyOf: (walletId) =>
          client.wallets.get({ params: { id: walletId }, query: {} }).pipe(
            Effect.map((wallet): string | undefined => wallet.currency),
            Effect.catchTag("WalletNotFound", () => Effect.undefined),
            Effect.mapError(failed)
          ),
        create: ({ idempotencyKey, overdraftLimit, walletId, ...input }) =>
          client.wallets
            .create({
              ...options(idempotencyKey),
              payload: { id: walletId, ...input, ...(overdraftLimit === 0n ? {} : { overdraftLimit }) }
            })
            .pipe(
              Effect.map(([{ wallet }, { headers }]) => ({
                balance: wallet.balance,
                currency: wallet.currency,
                replayed: isReplayed(headers)
              })),
              Effect.mapError(failed)
            ),
        move: ({ amount, direction, idempotencyKey, metadata, reference, walletId }) =>
          client.wallets[direction]({
            ...options(idempotencyKey),
            params: { id: walletId },
            payload: { amount, metadata, ...(reference === null ? {} : { reference }) }
          }).pipe(
            Effect.map(([{ wallet }, { headers }]) => ({
              balance: wallet.balance,
              currency: wallet.currency,
              replayed: isReplayed(headers)
            })),
            Effect.mapError(failed)
          )
      })
    })
  )
}
