/**
 * Handler of `BatchApi`: decodes each item on its own and sends all of them off
 * in the order given. An engine call reaches its wallet's mailbox before it first
 * waits, so the items of one wallet stay in order without one waiting for another.
 * Only a transfer and a refund wait before, for what their destination or original is: the
 * items behind them, on their wallet, wait with them.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type { CommandError, TransferReversed } from "../../actors/EngineError.ts"
import { isId } from "../../domain/Limits.ts"
import { InvalidRequest } from "../../domain/Rejection.ts"
import { type CommandAnswer, type DryRunAnswer, WalletEngine } from "../../engine/WalletEngine.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import {
  type failureReply,
  type HttpReply,
  replied,
  commandReply,
  internalError,
  toResponse,
  transferReply
} from "../HttpReply.ts"
import { AuditLog } from "../AuditLog.ts"
import { isNarrow, mayMutate, mayRefundTransaction, mayRefundTransfer, maySend, mustSee } from "../Visibility.ts"
import type { MutationType } from "../../domain/KeyRestriction.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { Gate } from "../Authentication.ts"
import type { Forbidden, IdempotencyKeyMissing } from "../api/Problem.ts"
import {
  type AskedOptions,
  auditForced,
  commandOptions,
  type CommandQuery,
  isForced,
  mayForce
} from "./CommandOptions.ts"
import { transferInput } from "./TransferInputs.ts"
import { bodyReader, decoder, maxBatchBytes, maxBatchSigns } from "../RequestBody.ts"
import {
  BatchEnvelope,
  CaptureItem,
  ChangeItem,
  CreditItem,
  DebitItem,
  HoldItem,
  RefundItem,
  ReleaseItem,
  TransferItem
} from "../api/Schemas.ts"

const batchBody = bodyReader(BatchEnvelope, { maxBytes: maxBatchBytes, maxSigns: maxBatchSigns })

type Engine = WalletEngine["Service"]

interface Caller {
  readonly audit: AuditLog["Service"]
  readonly key: ApiKey
  readonly query: CommandQuery
}

/** A command of a batch, decoded. */
interface Prepared {
  /** What its key is asked beyond its scopes; absent: nothing. The reply when it is refused. */
  readonly allowed?: Effect.Effect<HttpReply | undefined> | undefined
  readonly run: Effect.Effect<HttpReply>
  /** Of a transfer or a refund: completes when it is in line at its wallet; the inner effect is its reply. */
  readonly begin?: Effect.Effect<Effect.Effect<HttpReply>>
}

type Prepare = (item: unknown, engine: Engine, caller: Caller) => Effect.Effect<Prepared>

/** What a key has to see for a command. */
type Sees<Body> = (engine: Engine, key: ApiKey, body: Body) => Effect.Effect<void, Parameters<typeof failureReply>[0]>

const seesWallet: Sees<{ readonly walletId: string }> = (engine, key, { walletId }) => mustSee(engine, key, walletId)

const allowedBy = (
  see: Effect.Effect<void, Parameters<typeof failureReply>[0]>
): Effect.Effect<HttpReply | undefined> =>
  Effect.matchEffect(see, {
    onFailure: (failure) => replied(Effect.fail(failure)),
    onSuccess: () => Effect.undefined
  })

const logged = (effect: Effect.Effect<HttpReply>): Effect.Effect<HttpReply> =>
  Effect.catchDefect(effect, (defect) => Effect.as(Effect.logError("a batch's command failed", defect), internalError))

const refused = (failure: InvalidRequest | IdempotencyKeyMissing | Forbidden): Prepared => ({
  run: replied(Effect.fail(failure))
})

const anybody = (): Effect.Effect<void> => Effect.void

/** Form, then what the key may, then the key's presence: as for a request of its own. */
const preparing = <S extends Schema.ConstraintDecoder<{ readonly type: string; readonly idempotencyKey: string }>>(
  schema: S,
  type: MutationType,
  see: Sees<Omit<S["Type"], "type" | "idempotencyKey">>,
  prepare: (
    body: Omit<S["Type"], "type" | "idempotencyKey"> & AskedOptions,
    engine: Engine,
    caller: Caller
  ) => Prepared,
  allow: (key: ApiKey, body: Omit<S["Type"], "type" | "idempotencyKey">) => Effect.Effect<void, Forbidden> = anybody
): Prepare => {
  const decode = decoder(schema)
  return Effect.fnUntraced(
    function* (item, engine, caller) {
      const { type: _, idempotencyKey, ...body } = yield* decode(item)
      const { key } = caller
      yield* mayMutate(key, type) ?? Effect.void
      yield* allow(key, body)
      const options = yield* commandOptions({ "idempotency-key": idempotencyKey }, caller.query, key)
      const allowed = isNarrow(key) ? allowedBy(see(engine, key, body)) : undefined
      return { ...prepare({ ...body, ...options }, engine, caller), allowed }
    },
    Effect.catch((failure) => Effect.succeed(refused(failure)))
  )
}

const runner = <S extends Schema.ConstraintDecoder<{ readonly type: string; readonly idempotencyKey: string }>>(
  schema: S,
  type: MutationType,
  see: Sees<Omit<S["Type"], "type" | "idempotencyKey">>,
  run: (
    engine: Engine,
    body: Omit<S["Type"], "type" | "idempotencyKey"> & AskedOptions
  ) => Effect.Effect<CommandAnswer | DryRunAnswer<CommandAnswer>, CommandError>,
  status: 200 | 201 = 201
): Prepare =>
  preparing(schema, type, see, (body, engine) => ({
    run: logged(replied(Effect.map(run(engine, body), (result) => commandReply(status, body.await, result))))
  }))

/** Completes when the command is in line at its source. */
const begun = <A>(
  begin: Effect.Effect<Effect.Effect<A, CommandError | TransferReversed>, CommandError>,
  reply: (result: A) => HttpReply
): Effect.Effect<Effect.Effect<HttpReply>> =>
  begin.pipe(
    Effect.map((ending) => logged(replied(Effect.map(ending, reply)))),
    Effect.catch((failure) => Effect.succeed(replied(Effect.fail(failure)))),
    Effect.catchDefect((defect) => Effect.succeed(logged(Effect.die(defect))))
  )

const seesSources: Sees<{ readonly walletId: string; readonly legs?: ReadonlyArray<{ readonly from: string }> }> = (
  engine,
  key,
  { legs, walletId }
) => maySend(engine, key, { from: walletId, legs })

const prepareTransfer = preparing(TransferItem, "transfer", seesSources, ({ walletId: from, ...transfer }, engine) => {
  const { amount, effectiveAt, legs, metadata, reference, to, ...options } = transfer
  const given = { from, amount, effectiveAt, legs, metadata, reference, to }
  // What changes nothing needs no place in line.
  if (options.dryRun === true) {
    const tried = engine.transfer(transferInput(given, options))
    return { run: logged(replied(Effect.map(tried, (result) => transferReply(transfer.await, result)))) }
  }
  const begin = begun(engine.beginTransfer(transferInput(given, options)), (result) =>
    transferReply(transfer.await, result)
  )
  return { begin, run: Effect.flatten(begin) }
})

const prepareDebit = preparing(
  DebitItem,
  "debit",
  seesWallet,
  (body, engine, { audit, key }) => {
    const debited = engine.debit(body)
    const asked = isForced(body) ? auditForced(audit, key, body.walletId, debited) : debited
    return { run: logged(replied(Effect.map(asked, (result) => commandReply(201, body.await, result)))) }
  },
  (key, { force }) => mayForce(key, force)
)

const prepareCapture = preparing(CaptureItem, "capture", seesWallet, ({ to, ...capture }, engine) => {
  const reply = (result: Parameters<typeof commandReply>[2]) => commandReply(201, capture.await, result)
  if (to === undefined || capture.dryRun === true) {
    const run = to === undefined ? engine.captureHold(capture) : engine.captureHoldTo({ ...capture, to })
    return { run: logged(replied(Effect.map(run, reply))) }
  }
  const begin = begun(engine.beginCaptureHoldTo({ ...capture, to }), reply)
  return { begin, run: Effect.flatten(begin) }
})

/** It looks at its original before it is in line: what is behind it on its wallet waits for its end. */
const seesOriginal: Sees<Pick<typeof RefundItem.Type, "leg" | "transactionId" | "transferId">> = (
  engine,
  key,
  { leg, transactionId, transferId }
) =>
  transactionId === undefined
    ? mayRefundTransfer(engine, key, transferId!, leg)
    : mayRefundTransaction(engine, key, transactionId)

const prepareRefund = preparing(
  RefundItem,
  "refund",
  seesOriginal,
  ({ leg, transactionId, transferId, ...body }, engine) => {
    const run = logged(
      replied(
        transactionId === undefined
          ? Effect.map(engine.refundTransfer({ ...body, leg, transferId: transferId! }), (result) =>
              transferReply(body.await, result)
            )
          : Effect.map(engine.refundTransaction({ ...body, transactionId }), (result) =>
              commandReply(201, body.await, result)
            )
      )
    )
    return body.dryRun === true ? { run } : { run, begin: Effect.map(run, (reply) => Effect.succeed(reply)) }
  }
)

const preparers: Readonly<Record<string, Prepare>> = {
  credit: runner(CreditItem, "credit", seesWallet, (engine, body) => engine.credit(body)),
  debit: prepareDebit,
  hold: runner(HoldItem, "hold", seesWallet, (engine, body) => engine.placeHold(body)),
  capture: prepareCapture,
  change_hold: runner(ChangeItem, "hold", seesWallet, (engine, body) => engine.changeHold(body), 200),
  release: runner(ReleaseItem, "release", seesWallet, (engine, body) => engine.releaseHold(body)),
  transfer: prepareTransfer,
  refund: prepareRefund
}

const unknownType = refused(
  new InvalidRequest({ detail: `type: Expected one of ${Object.keys(preparers).join(", ")}` })
)

const fieldOf = (item: unknown, name: string): unknown =>
  typeof item === "object" && item !== null && name in item ? (item as Record<string, unknown>)[name] : undefined

/** Also a capture to another wallet. */
const isTransfer = (item: unknown): boolean =>
  fieldOf(item, "type") === "transfer" || (fieldOf(item, "type") === "capture" && fieldOf(item, "to") !== undefined)

const asksBefore = (item: unknown): boolean => isTransfer(item) || fieldOf(item, "type") === "refund"

const prepare: Prepare = (item, engine, caller) => {
  const type = fieldOf(item, "type")
  const known = typeof type === "string" && Object.hasOwn(preparers, type) ? preparers[type] : undefined
  return known === undefined
    ? Effect.succeed(unknownType)
    : Effect.catchDefect(known(item, engine, caller), (defect) => Effect.succeed({ run: logged(Effect.die(defect)) }))
}

/** Commands of a batch that are decoded in a turn of the event loop: a few milliseconds of work. */
const preparedPerTurn = 32

/** All of a batch, decoded by and by: others get their turns between. */
const prepareAll = (items: ReadonlyArray<unknown>, engine: Engine, caller: Caller) =>
  Effect.forEach(items, (item, index) => {
    const prepared = prepare(item, engine, caller)
    return index % preparedPerTurn === preparedPerTurn - 1 ? Effect.andThen(Effect.yieldNow, prepared) : prepared
  })

/** Wallets that are looked at for a key that does not see all, at once. */
const concurrentChecks = 32

/** Those that the key may not ask for are answered so; the others keep their places. */
const allowedOf = (commands: ReadonlyArray<Prepared>, { key }: Caller): Effect.Effect<ReadonlyArray<Prepared>> =>
  isNarrow(key)
    ? Effect.forEach(
        commands,
        (prepared) =>
          Effect.map(prepared.allowed ?? Effect.undefined, (reply) =>
            reply === undefined ? prepared : { run: Effect.succeed(reply) }
          ),
        { concurrency: concurrentChecks }
      )
    : Effect.succeed(commands)

/** Bounded by the batch: at most 1,000 are in flight. */
const runAll = (commands: ReadonlyArray<Prepared>): Effect.Effect<ReadonlyArray<HttpReply>> =>
  Effect.forEach(commands, ({ run }) => run, { concurrency: "unbounded" })

/** Each command once those before it are in line at the wallet. */
const runInLine = Effect.fnUntraced(function* (commands: ReadonlyArray<Prepared>) {
  const running: Array<Fiber.Fiber<HttpReply>> = []
  for (const { begin, run } of commands) {
    const reply = begin === undefined ? run : yield* begin
    running.push(yield* Effect.forkChild(reply, { startImmediately: true }))
  }
  return yield* Effect.forEach(running, Fiber.join)
})

/** Destinations that a batch asks for at once, before its transfers do: each line would ask for one after the other. */
const concurrentLooks = 32

/** Brings the destinations into their owners' memory. What cannot be read now is told by its transfer. */
const lookAhead = (items: ReadonlyArray<unknown>, engine: Engine): Effect.Effect<void> => {
  const destinations = new Set<string>()
  for (const item of items) {
    if (!isTransfer(item)) continue
    const legs = fieldOf(item, "legs")
    for (const of of Array.isArray(legs) ? legs : [item]) {
      for (const walletId of [fieldOf(of, "to"), fieldOf(of, "from")]) {
        if (typeof walletId === "string" && isId(walletId)) destinations.add(walletId)
      }
    }
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

const runBatch = Effect.fnUntraced(function* (
  items: ReadonlyArray<unknown>,
  commands: ReadonlyArray<Prepared>,
  engine: Engine
) {
  if (!items.some(asksBefore)) return yield* runAll(commands)
  yield* lookAhead(items, engine)
  const replies = new Array<HttpReply>(items.length)
  const runLine = (places: ReadonlyArray<number>) => {
    const line = places.map((place) => commands[place]!)
    const run = line.length > 1 && line.some(({ begin }) => begin !== undefined) ? runInLine : runAll
    return Effect.map(run(line), (given) => places.forEach((place, index) => (replies[place] = given[index]!)))
  }
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
    const audit = yield* AuditLog
    const { rateLimit } = yield* Gate
    const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)
    /** The reply when they are too many for the rate of the key; the request itself has been counted as one. */
    const countAll = (key: ApiKey, commands: number): Effect.Effect<HttpReply | undefined> =>
      rateLimit === undefined || commands < 2
        ? Effect.undefined
        : Effect.match(rateLimit(key, commands - 1), { onFailure: (reply) => reply, onSuccess: () => undefined })
    return handlers.handleRaw(
      "run",
      Effect.fnUntraced(
        function* ({ query, request }) {
          const { commands } = yield* batchBody(request)
          const caller = { audit, key: yield* CurrentKey, query }
          const refused = yield* countAll(caller.key, commands.length)
          if (refused !== undefined) return refused
          const prepared = yield* allowedOf(yield* oneAtATime(prepareAll(commands, engine, caller)), caller)
          const replies = yield* runBatch(commands, prepared, engine)
          for (const { status } of replies)
            if (status === 403) yield* audit.refused({ key: caller.key, action: "batch.run" })
          const body = `{"results":[${replies.map(resultText).join(",")}]}`
          return { status: 200, body, replayed: false, retryAfter: undefined }
        },
        replied,
        Effect.map(toResponse)
      )
    )
  })
)
