/**
 * A span of one command, for callers whose own span is sampled; all others pay nothing.
 * It tells the wallet, the kind and what the command came to. Of the idempotency key it
 * tells a hash, by which two tries of one command are seen to be the same.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import { createHash } from "node:crypto"
import type { CommandError } from "../actors/EngineError.ts"
import type { Reply } from "../actors/Mailbox.ts"
import type { Command } from "../domain/Command.ts"
import type { CommandKey } from "../domain/Event.ts"
import { type Answered, type CountedError, outcomeOf, snakeCase } from "./CommandMetrics.ts"
import type { TransferAnswer } from "./EngineApi.ts"
import type { TransferRequest } from "./TransferSaga.ts"

interface TracedCall {
  readonly command: Command
  readonly key: CommandKey
  readonly correlationId: string | null
}

/** 96 bits of the key's SHA-256: enough to compare, no way back to the key. */
const hashOf = (key: string): string => createHash("sha256").update(key, "utf8").digest("hex").slice(0, 24)

type Attributes = Readonly<Record<string, unknown>>

/** A rejection is an answer, no error of the span. */
const endSpan = (span: Tracer.Span, time: bigint, exit: Exit.Exit<Answered, CountedError>, told: Attributes): void => {
  const { code, result } = outcomeOf(exit)
  span.attribute("wallet.command.result", result)
  if (code !== "") span.attribute("wallet.command.code", code)
  for (const name in told) span.attribute(name, told[name])
  span.end(time, result === "rejected" ? Exit.void : exit)
}

interface Description<A> {
  readonly name: string
  readonly attributes: Record<string, unknown>
  /** What the answer adds. */
  readonly tell: (answer: A) => Attributes
}

const inSpan = Effect.fnUntraced(function* <A extends Answered, E extends CountedError>(
  effect: Effect.Effect<A, E>,
  { attributes, name, tell }: Description<A>
): Effect.fn.Return<A, E> {
  const clock = yield* Clock.Clock
  const span = yield* Effect.makeSpan(name, { attributes })
  return yield* Effect.onExit(effect, (exit) =>
    Effect.sync(() => endSpan(span, clock.currentTimeNanosUnsafe(), exit, Exit.isSuccess(exit) ? tell(exit.value) : {}))
  )
})

/**
 * In a span if the caller is in a sampled one. `describe` is asked only then. Effect's own tracer, which stands in
 * where there is none, calls every span sampled and shows it to nobody.
 */
const whenSampled = <A extends Answered, E extends CountedError>(
  effect: Effect.Effect<A, E>,
  describe: () => Description<A>
): Effect.Effect<A, E> =>
  Effect.withFiber(({ cache: { span } }) =>
    span?.sampled === true && !(span instanceof Tracer.NativeSpan) ? inSpan(effect, describe()) : effect
  )

const correlation = (correlationId: string | null): Attributes =>
  correlationId === null ? {} : { "wallet.correlation.id": correlationId }

const tellReply = (reply: Reply): Attributes => {
  if (reply._tag === "Seen") return { "wallet.version": reply.version }
  const commandId = reply.events[0]?.metadata.commandId
  return {
    "wallet.version": reply.wallet.version,
    ...(commandId === undefined ? {} : { "wallet.command.id": commandId })
  }
}

/** A command, from its offer to its answer. */
export const traced = (ask: Effect.Effect<Reply, CommandError>, { command, correlationId, key }: TracedCall) =>
  whenSampled(ask, () => {
    const kind = snakeCase(command._tag)
    return {
      name: `wallet.${kind}`,
      attributes: {
        "wallet.id": command.walletId,
        "wallet.command.kind": kind,
        "wallet.key.hash": hashOf(key),
        ...correlation(correlationId)
      },
      tell: tellReply
    }
  })

/** A transfer as its caller sees it, or a capture to a wallet; its steps run without the caller and have no spans. */
export const tracedTransfer = <A extends Pick<TransferAnswer, "replayed" | "transfer">, E extends CountedError>(
  transfer: Effect.Effect<A, E>,
  { command, correlationId, key }: TransferRequest
) =>
  whenSampled(transfer, () => ({
    name: "wallet.transfer",
    attributes: {
      "wallet.id": command.walletId,
      ...(command._tag === "BeginLegs"
        ? { "wallet.transfer.legs": command.legs.length }
        : { "wallet.transfer.to": command.to }),
      "wallet.command.kind": "transfer",
      "wallet.key.hash": hashOf(key),
      ...correlation(correlationId)
    },
    tell: ({ transfer }) => ({ "wallet.transfer.id": transfer.id, "wallet.transfer.status": transfer.status })
  }))
