/**
 * Handler of `BatchApi`: decodes each item on its own and sends all of them off
 * in the order given. An engine call reaches its wallet's mailbox before it first
 * waits, so the items of one wallet stay in order without one waiting for another.
 * Only a transfer waits before, for what its destination is: the items behind it, on
 * its source, wait with it, and no longer.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as Schema from "effect/Schema"
import type { CommandError } from "../../actors/EngineError.ts"
import { InvalidRequest } from "../../domain/Rejection.ts"
import { type Await, type CommandAnswer, type CommandOptions, WalletEngine } from "../../engine/WalletEngine.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { type HttpReply, replied, commandReply, internalError, toResponse, transferReply } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { commandOptions } from "./CommandOptions.ts"
import { bodyReader, decoder, maxBatchBytes } from "../RequestBody.ts"
import {
  BatchEnvelope,
  CaptureItem,
  CreditItem,
  DebitItem,
  HoldItem,
  ReleaseItem,
  TransferItem
} from "../api/Schemas.ts"

const batchBody = bodyReader(BatchEnvelope, { maxBytes: maxBatchBytes })

type Engine = WalletEngine["Service"]

interface Caller {
  readonly key: ApiKey
  readonly await: Await | undefined
}

type RunItem = (item: unknown, engine: Engine, caller: Caller) => Effect.Effect<HttpReply>

/** Form, then the key's presence: as for a request of its own. */
const reader = <S extends Schema.ConstraintDecoder<{ readonly type: string; readonly idempotencyKey: string }>>(
  schema: S
) => {
  const decode = decoder(schema)
  return Effect.fnUntraced(function* (item: unknown, caller: Caller) {
    const { type: _, idempotencyKey, ...body } = yield* decode(item)
    const options = yield* commandOptions(idempotencyKey, caller.await, caller.key)
    return { body, options }
  })
}

const runner = <S extends Schema.ConstraintDecoder<{ readonly type: string; readonly idempotencyKey: string }>>(
  schema: S,
  run: (
    engine: Engine,
    body: Omit<S["Type"], "type" | "idempotencyKey"> & CommandOptions
  ) => Effect.Effect<CommandAnswer, CommandError>
): RunItem => {
  const read = reader(schema)
  return (item, engine, caller) =>
    replied(
      Effect.gen(function* () {
        const { body, options } = yield* read(item, caller)
        return commandReply(201, options.await, yield* run(engine, { ...body, ...options }))
      })
    )
}

const readTransfer = reader(TransferItem)

/** Completes when the transfer is in line at its source; the inner effect is its reply. */
const beginTransfer = (item: unknown, engine: Engine, caller: Caller): Effect.Effect<Effect.Effect<HttpReply>> =>
  Effect.gen(function* () {
    const { body, options } = yield* readTransfer(item, caller)
    const { walletId: from, ...transfer } = body
    const begun = yield* engine.beginTransfer({ ...transfer, from, ...options })
    return replied(Effect.map(begun, (result) => transferReply(options.await, result)))
  }).pipe(Effect.catch((failure) => Effect.succeed(replied(Effect.fail(failure)))))

const runTransfer: RunItem = (item, engine, caller) => Effect.flatten(beginTransfer(item, engine, caller))

const runners: Readonly<Record<string, RunItem>> = {
  credit: runner(CreditItem, (engine, body) => engine.credit(body)),
  debit: runner(DebitItem, (engine, body) => engine.debit(body)),
  hold: runner(HoldItem, (engine, body) => engine.placeHold(body)),
  capture: runner(CaptureItem, (engine, body) => engine.captureHold(body)),
  release: runner(ReleaseItem, (engine, body) => engine.releaseHold(body)),
  transfer: runTransfer
}

const unknownType = replied(
  Effect.fail(new InvalidRequest({ detail: `type: Expected one of ${Object.keys(runners).join(", ")}` }))
)

const fieldOf = (item: unknown, name: string): unknown =>
  typeof item === "object" && item !== null && name in item ? (item as Record<string, unknown>)[name] : undefined

const isTransfer = (item: unknown): boolean => fieldOf(item, "type") === "transfer"

const logged = (effect: Effect.Effect<HttpReply>): Effect.Effect<HttpReply> =>
  Effect.catchDefect(effect, (defect) => Effect.as(Effect.logError("a batch's command failed", defect), internalError))

const runItem = (item: unknown, engine: Engine, caller: Caller): Effect.Effect<HttpReply> => {
  const type = fieldOf(item, "type")
  const run = typeof type === "string" && Object.hasOwn(runners, type) ? runners[type] : undefined
  return run === undefined ? unknownType : logged(run(item, engine, caller))
}

/** Bounded by the batch: at most 1,000 are in flight. */
const runAll = (
  items: ReadonlyArray<unknown>,
  engine: Engine,
  caller: Caller
): Effect.Effect<ReadonlyArray<HttpReply>> =>
  Effect.forEach(items, (item) => runItem(item, engine, caller), { concurrency: "unbounded" })

/** Each item once those before it are in line at the wallet. */
const runInLine = Effect.fnUntraced(function* (items: ReadonlyArray<unknown>, engine: Engine, caller: Caller) {
  const running: Array<Fiber.Fiber<HttpReply>> = []
  for (const item of items) {
    const run = isTransfer(item)
      ? yield* Effect.catchDefect(beginTransfer(item, engine, caller), (defect) => Effect.succeed(Effect.die(defect)))
      : runItem(item, engine, caller)
    running.push(yield* Effect.forkChild(logged(run), { startImmediately: true }))
  }
  return yield* Effect.forEach(running, Fiber.join)
})

/** Destinations that a batch asks for at once, before its transfers do: each line would ask for one after the other. */
const concurrentLooks = 32

/** Brings the destinations into their owners' memory. What cannot be read now is told by its transfer. */
const lookAhead = (items: ReadonlyArray<unknown>, engine: Engine): Effect.Effect<void> => {
  const destinations = new Set<string>()
  for (const item of items) {
    const to = fieldOf(item, "to")
    if (isTransfer(item) && typeof to === "string") destinations.add(to)
  }
  return Effect.forEach(destinations, (walletId) => Effect.exit(engine.getWallet({ walletId })), {
    concurrency: concurrentLooks,
    discard: true
  })
}

/** The places of the items in the batch, by the wallet that they are for. */
const linesOf = (items: ReadonlyArray<unknown>): ReadonlyArray<ReadonlyArray<number>> => {
  const lines = new Map<unknown, Array<number>>()
  items.forEach((item, place) => {
    const walletId = fieldOf(item, "walletId")
    const line = lines.get(walletId)
    if (line === undefined) lines.set(walletId, [place])
    else line.push(place)
  })
  return [...lines.values()]
}

const runBatch = Effect.fnUntraced(function* (items: ReadonlyArray<unknown>, engine: Engine, caller: Caller) {
  if (!items.some(isTransfer)) return yield* runAll(items, engine, caller)
  yield* lookAhead(items, engine)
  const replies = new Array<HttpReply>(items.length)
  const runLine = Effect.fnUntraced(function* (places: ReadonlyArray<number>) {
    const line = places.map((place) => items[place])
    const run = places.length > 1 && line.some(isTransfer) ? runInLine : runAll
    const given = yield* run(line, engine, caller)
    places.forEach((place, index) => (replies[place] = given[index]!))
  })
  yield* Effect.forEach(linesOf(items), runLine, { concurrency: "unbounded", discard: true })
  return replies
})

const resultText = (reply: HttpReply): string =>
  `{"status":${reply.status},"body":${reply.body}${reply.replayed ? ',"replayed":true' : ""}}`

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
          const replies = yield* runBatch(commands, engine, caller)
          const body = `{"results":[${replies.map(resultText).join(",")}]}`
          return { status: 200, body, replayed: false, retryAfter: undefined }
        },
        replied,
        Effect.map(toResponse)
      )
    )
  })
)
