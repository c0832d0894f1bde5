/** Transfers as the engine offers them: checks the form, starts the saga, makes the answer; and the queries of transfers. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { hash } from "node:crypto"
import { isId, isIdempotencyKey } from "../domain/Limits.ts"
import { InvalidRequest, TransferNotFound } from "../domain/Rejection.ts"
import { Persistence } from "../stores/Persistence.ts"
import { type Answered, CommandMetrics } from "./CommandMetrics.ts"
import { tracedTransfer } from "./CommandTrace.ts"
import { durabilityOf, malformedOrigin, metadataOf } from "./EngineCommands.ts"
import type { EngineTransfers, TransferInput } from "./EngineApi.ts"
import type { TransferError, TransferOutcome } from "./TransferRun.ts"
import { TransferSaga } from "./TransferSaga.ts"

export const make = Effect.fnUntraced(function* (): Effect.fn.Return<
  EngineTransfers,
  never,
  Persistence | TransferSaga | CommandMetrics
> {
  const metrics = yield* CommandMetrics
  const clock = yield* Clock.Clock
  const persistence = yield* Persistence
  const saga = yield* TransferSaga

  const counting = (startedAt: number) => (exit: Exit.Exit<Answered, TransferError>) =>
    Effect.sync(() => metrics.answered("Transfer", startedAt, exit))

  const beginTransfer: EngineTransfers["beginTransfer"] = (input) => {
    const malformed = malformedTransfer(input)
    if (malformed !== undefined) return Effect.fail(new InvalidRequest({ detail: malformed }))
    const { from, idempotencyKey, to } = input
    const begun = saga.begin({
      command: {
        _tag: "SendTransfer",
        walletId: from,
        transferId: derivedTransferId(from, idempotencyKey),
        to,
        amount: input.amount,
        reference: input.reference ?? null,
        metadata: metadataOf(input.metadata)
      },
      key: `c:${idempotencyKey}`,
      actor: input.actor ?? null,
      correlationId: input.correlationId ?? null,
      await: input.await === "indexed" ? "indexed" : "persisted"
    })
    return Effect.suspend(() => {
      const count = counting(clock.currentTimeMillisUnsafe())
      return Effect.onExit(begun, (exit) =>
        Exit.isFailure(exit) ? count(Exit.failCause(exit.cause)) : Effect.void
      ).pipe(Effect.map((ending) => Effect.onExit(Effect.map(ending, answerOf), count)))
    })
  }

  return {
    beginTransfer,
    transfer: (input) => tracedTransfer(Effect.flatten(beginTransfer(input)), input),
    getTransfer: Effect.fnUntraced(function* (transferId) {
      if (!isId(transferId)) return yield* new InvalidRequest({ detail: "an id is 1 to 64 of A-Z a-z 0-9 _ -" })
      // One that was answered as pending may not be persisted yet: its node knows it.
      const carried = saga.carried(transferId)
      const stored = yield* persistence.transfer(transferId)
      return stored ?? carried ?? (yield* new TransferNotFound({ transferId }))
    }),
    transfers: persistence.transfers
  }
})

/**
 * Of a transfer: from its source and the key, so that a retry, on whichever node,
 * means the same transfer. `t_` and 128 bits of the SHA-256; frozen.
 */
export const derivedTransferId = (from: string, idempotencyKey: string): string =>
  `t_${hash("sha256", `transfer:${from}:${idempotencyKey}`, "base64url").slice(0, 22)}`

/** What must be right before the wallets can be asked at all; the rest is `decide`'s. */
const malformedTransfer = (input: TransferInput): string | undefined => {
  if (!isIdempotencyKey(input.idempotencyKey)) return "idempotencyKey must be 1 to 255 visible ASCII characters"
  if (!isId(input.from)) return "from must be 1 to 64 of A-Z a-z 0-9 _ -"
  if (!isId(input.to)) return "to must be 1 to 64 of A-Z a-z 0-9 _ -"
  return malformedOrigin(input)
}

const answerOf = ({ persisted, replayed, transfer }: TransferOutcome) => ({
  transfer,
  durability: durabilityOf(persisted),
  replayed
})
