/**
 * Where an import goes: the engine of this process, or a running service. Both take
 * the same commands with the same keys.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Metadata } from "../../domain/Limits.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { maxBatchItems } from "../../http/api/Schemas.ts"
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
  /** When it counts for the books, milliseconds; `null`: when it is booked. */
  readonly effectiveAt: number | null
  readonly idempotencyKey: string
}

export interface Applied {
  /** `true`: an earlier import has done it. */
  readonly replayed: boolean
  /** The wallet's balance as of the command's own event, also when replayed. */
  readonly balance: bigint
  /** Of that event. */
  readonly version: number
}

/** A wallet as it is now. */
export interface WalletNow {
  readonly currency: string
  readonly ownerId: string
  readonly balance: bigint
  readonly held: bigint
  readonly overdraftLimit: bigint
  readonly status: "active" | "frozen" | "closed"
  /** Events after the creation. */
  readonly version: number
}

/** What is known of a key: its command was done, it was not, or there is no such wallet. */
export type KeyState = "done" | "new" | "no wallet"

export interface KeyQuestion {
  readonly walletId: string
  readonly idempotencyKey: string
}

/** Commands of one call. */
export const maxMoves = maxBatchItems

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

/**
 * A key is asked for by a command that can never be done: a transfer of a wallet to itself.
 * Keys are looked up before every rule, so a key that is taken is refused as that, and a new
 * one is refused by the rules and stays new.
 */
const answers: Readonly<Record<string, KeyState>> = {
  IdempotencyKeyReused: "done",
  SameWallet: "new",
  WalletClosed: "new",
  WalletFrozen: "new",
  WalletNotFound: "no wallet"
}

const stateOf = (error: Failure): Result.Result<KeyState, TargetFailed> =>
  Object.hasOwn(answers, error._tag) ? Result.succeed(answers[error._tag]!) : Result.fail(failed(error))

type Results<A> = ReadonlyArray<Result.Result<A, TargetFailed>>

export class ImportTarget extends Context.Service<
  ImportTarget,
  {
    /** `undefined`: there is no such wallet. */
    readonly wallet: (walletId: string) => Effect.Effect<WalletNow | undefined, TargetFailed>
    readonly create: (wallet: NewWallet) => Effect.Effect<Applied, TargetFailed>
    /** Changes nothing. At most `maxMoves`; the answers in the order of the questions. */
    readonly ask: (questions: ReadonlyArray<KeyQuestion>) => Effect.Effect<Results<KeyState>, TargetFailed>
    /**
     * At most `maxMoves`, and together at most 1 MiB of JSON. Those of one wallet are done in
     * the order given, each on its own: one that fails does not keep back those after it.
     */
    readonly move: (moves: ReadonlyArray<WalletMove>) => Effect.Effect<Results<Applied>, TargetFailed>
  }
>()("effect-wallet/cli/import/ImportTarget") {
  /** The engine of this process. */
  static readonly layerEngine = Layer.effect(
    ImportTarget,
    Effect.map(WalletEngine, (engine) =>
      ImportTarget.of({
        wallet: (walletId) =>
          engine.getWallet({ walletId }).pipe(
            Effect.map((wallet): WalletNow | undefined => wallet),
            Effect.catchTag("WalletNotFound", () => Effect.undefined),
            Effect.mapError(failed)
          ),
        create: ({ walletId, ...input }) =>
          engine.createWallet({ id: walletId, ...input, actor: "import" }).pipe(
            Effect.map(({ replayed, wallet: { balance, version } }) => ({ balance, version, replayed })),
            Effect.mapError(failed)
          ),
        ask: (questions) =>
          atOnce(questions, ({ idempotencyKey, walletId }) =>
            engine.transfer({ from: walletId, to: walletId, amount: 1n, idempotencyKey }).pipe(
              Effect.match({
                onFailure: stateOf,
                onSuccess: () => Result.fail(impossible)
              })
            )
          ),
        // A call reaches its wallet's mailbox before it first waits, so their order is that of the rows.
        move: orUndated((moves) =>
          atOnce(moves, ({ direction, ...input }) =>
            engine[direction]({ ...input, actor: "import" }).pipe(
              Effect.map(({ replayed, wallet: { balance, version } }) => ({ balance, version, replayed })),
              Effect.mapError(failed),
              Effect.result
            )
          )
        )
      })
    )
  )

  /** A running service. */
  static readonly layerClient = Layer.effect(
    ImportTarget,
    Effect.map(WalletClient, (client) => {
      const run = (commands: Parameters<typeof client.batch.run>[0]["payload"]["commands"]) =>
        client.batch.run({ query: {}, payload: { commands } }).pipe(Effect.mapError(failed))
      return ImportTarget.of({
        wallet: (walletId) =>
          client.wallets.get({ params: { id: walletId }, query: {} }).pipe(
            Effect.map((wallet): WalletNow | undefined => wallet),
            Effect.catchTag("WalletNotFound", () => Effect.undefined),
            Effect.mapError(failed)
          ),
        create: ({ idempotencyKey, overdraftLimit, walletId, ...input }) =>
          client.wallets
            .create({
              headers: { "idempotency-key": idempotencyKey },
              query: {},
              responseMode: "decoded-and-response",
              payload: { id: walletId, ...input, ...(overdraftLimit === 0n ? {} : { overdraftLimit }) }
            })
            .pipe(
              Effect.map(([{ wallet }, { headers }]) => ({
                balance: wallet.balance,
                version: wallet.version,
                replayed: headers["idempotency-replayed"] === "true"
              })),
              Effect.mapError(failed)
            ),
        ask: (questions) =>
          run(questions.map((question) => ({ type: "transfer", ...question, to: question.walletId, amount: 1n }))).pipe(
            Effect.map(({ results }) =>
              results.map((result) => {
                const problem = problemOf(result)
                return problem === undefined ? Result.fail(impossible) : stateOf(problem)
              })
            )
          ),
        move: orUndated((moves) =>
          run(
            moves.map(({ direction, effectiveAt, reference, ...move }) => ({
              type: direction,
              ...move,
              ...(reference === null ? {} : { reference }),
              ...(effectiveAt === null ? {} : { effectiveAt })
            }))
          ).pipe(Effect.map(({ results }) => results.map(appliedOf)))
        )
      })
    })
  )
}

type Move = ImportTarget["Service"]["move"]

/**
 * Rows that were booked before movements had times of their own have their keys, and fingerprints
 * without one. So what a key was used for is asked once more without: a key that is taken acts never again.
 */
const orUndated =
  (move: Move): Move =>
  (moves) =>
    Effect.flatMap(move(moves), (results) => {
      const again = moves.flatMap((one, index) => {
        const result = results[index]
        const isReused =
          result !== undefined && Result.isFailure(result) && result.failure.code === "IdempotencyKeyReused"
        return isReused && one.effectiveAt !== null ? [index] : []
      })
      if (again.length === 0) return Effect.succeed(results)
      return Effect.map(move(again.map((index) => ({ ...moves[index]!, effectiveAt: null }))), (undated) => {
        const merged = [...results]
        again.forEach((index, place) => (merged[index] = undated[place]!))
        return merged
      })
    })

/** All started in order before any is waited for. */
const atOnce = <A, B>(inputs: ReadonlyArray<A>, run: (input: A) => Effect.Effect<B>): Effect.Effect<ReadonlyArray<B>> =>
  Effect.forEach(inputs, run, { concurrency: "unbounded" })

const impossible = new TargetFailed({
  code: "SameWallet",
  reason: "the service lets a wallet send to itself: what it has done cannot be known",
  mayPass: false
})

interface BatchResult {
  readonly status: number
  readonly body: unknown
  readonly replayed?: boolean
}

const ProblemBody = Schema.Struct({ code: Schema.String, detail: Schema.optionalKey(Schema.String) })
const MoveBody = Schema.Struct({ wallet: Schema.Struct({ balance: Schema.String, version: Schema.Int }) })

const isProblem = Schema.is(ProblemBody)
const isMove = Schema.is(MoveBody)

/** `undefined`: it was done. */
const problemOf = ({ body, status }: BatchResult): Failure | undefined => {
  if (status < 400) return undefined
  return isProblem(body)
    ? { _tag: body.code, message: body.detail ?? body.code }
    : { _tag: "ReplyUnreadable", message: `the service answered ${status} without saying why` }
}

const appliedOf = (result: BatchResult): Result.Result<Applied, TargetFailed> => {
  const problem = problemOf(result)
  if (problem !== undefined) return Result.fail(failed(problem))
  return isMove(result.body)
    ? Result.succeed({
        replayed: result.replayed === true,
        balance: BigInt(result.body.wallet.balance),
        version: result.body.wallet.version
      })
    : Result.fail(failed({ _tag: "ReplyUnreadable", message: "the service's answer has no balance" }))
}
