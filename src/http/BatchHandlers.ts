/**
 * Handler of `BatchApi`: decodes each item on its own and sends all of them off
 * in the order given. An engine call reaches its wallet's mailbox before it first
 * waits, so the items of one wallet stay in order without one waiting for another.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as Schema from "effect/Schema"
import type { CommandError } from "../actors/EngineError.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { type Await, type CommandAnswer, type CommandOptions, WalletEngine } from "../engine/WalletEngine.ts"
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import { type Answer, answered, commandAnswer, internalError, toResponse } from "./Answer.ts"
import { WalletApi } from "./Api.ts"
import { CurrentKey } from "./Authorization.ts"
import { commandOptions } from "./CommandInput.ts"
import { bodyReader, decoder } from "./RequestBody.ts"
import { BatchEnvelope, CaptureItem, CreditItem, DebitItem, HoldItem, ReleaseItem } from "./Wire.ts"

const batchBody = bodyReader(BatchEnvelope)

type Engine = WalletEngine["Service"]

interface Caller {
  readonly key: ApiKey
  readonly await: Await | undefined
}

type RunItem = (item: unknown, engine: Engine, caller: Caller) => Effect.Effect<Answer>

/** Form, then the key's presence, then the engine: as for a request of its own. */
const runner = <S extends Schema.ConstraintDecoder<{ readonly type: string; readonly idempotencyKey: string }>>(
  schema: S,
  run: (
    engine: Engine,
    body: Omit<S["Type"], "type" | "idempotencyKey"> & CommandOptions
  ) => Effect.Effect<CommandAnswer, CommandError>
): RunItem => {
  const decode = decoder(schema)
  return (item, engine, caller) =>
    answered(
      Effect.gen(function* () {
        const { type: _, idempotencyKey, ...body } = yield* decode(item)
        const options = yield* commandOptions(idempotencyKey, caller.await, caller.key)
        return commandAnswer(201, options.await, yield* run(engine, { ...body, ...options }))
      })
    )
}

const runners: Readonly<Record<string, RunItem>> = {
  credit: runner(CreditItem, (engine, body) => engine.credit(body)),
  debit: runner(DebitItem, (engine, body) => engine.debit(body)),
  hold: runner(HoldItem, (engine, body) => engine.placeHold(body)),
  capture: runner(CaptureItem, (engine, body) => engine.captureHold(body)),
  release: runner(ReleaseItem, (engine, body) => engine.releaseHold(body))
}

const unknownType = answered(
  Effect.fail(new InvalidRequest({ detail: `type: Expected one of ${Object.keys(runners).join(", ")}` }))
)

const runItem = (item: unknown, engine: Engine, caller: Caller): Effect.Effect<Answer> => {
  const type = typeof item === "object" && item !== null && "type" in item ? item.type : undefined
  const run = typeof type === "string" && Object.hasOwn(runners, type) ? runners[type] : undefined
  if (run === undefined) return unknownType
  return run(item, engine, caller).pipe(
    Effect.catchDefect((defect) => Effect.as(Effect.logError("a batch's command failed", defect), internalError))
  )
}

const resultText = (answer: Answer): string =>
  `{"status":${answer.status},"body":${answer.body}${answer.replayed ? ',"replayed":true' : ""}}`

export const batchHandlers = HttpApiBuilder.group(
  WalletApi,
  "batch",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw(
      "run",
      Effect.fnUntraced(
        function* ({ query, request }) {
          const { commands } = yield* batchBody(request)
          const caller = { key: yield* CurrentKey, await: query.await }
          // Bounded by the batch: at most 1,000 are in flight.
          const answers = yield* Effect.forEach(commands, (item) => runItem(item, engine, caller), {
            concurrency: "unbounded"
          })
          const body = `{"results":[${answers.map(resultText).join(",")}]}`
          return { status: 200, body, replayed: false, retryAfter: undefined }
        },
        answered,
        Effect.map(toResponse)
      )
    )
  })
)
