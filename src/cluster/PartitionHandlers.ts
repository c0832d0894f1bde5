/**
 * Answers what other nodes ask of this one's wallets. A handler never fails and never
 * dies: effect/cluster would build the entity anew and run its requests again.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { Ownership } from "../actors/Ownership.ts"
import type { ActorError, Reply } from "../actors/Mailbox.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import { envelopeOf, resendOf } from "../engine/WalletCalls.ts"
import type { Answer, CurrentReply, WalletCallsOf } from "./CallCodec.ts"
import { decodeBatch, decodeCurrentRequest, encodeCurrentReply, encodeReply } from "./CallCodec.ts"
import { OwnerUrls } from "./OwnerUrls.ts"
import { PartitionEntity } from "./PartitionEntity.ts"

/**
 * A batch is answered when all its calls are, or after this: its sender may not send the
 * wallets' next calls before, and a caller that waits for Persistence must not hold them.
 */
const lingerMillis = 50

/** A request for the rest of a batch waits so long. */
const collectMillis = 1_000

/** What nobody has asked for so long after its callers' wait, nobody will. */
const retentionMillis = 5_000

/** Between two checks for what nobody has asked for. */
const sweepInterval = "1 second"

/** An answer of an actor is made by `succeed`, `fail` or `die`. */
const answerOf = (answer: Effect.Effect<Reply, ActorError>): Answer => {
  if (!Exit.isExit(answer)) return { _tag: "Defect", reason: "an answer that is not decided" }
  const exit = answer as Exit.Exit<Reply, ActorError>
  if (Exit.isSuccess(exit)) return exit.value
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error === undefined) return { _tag: "Defect", reason: Cause.pretty(exit.cause) }
  return error._tag === "NotOwner" ? { _tag: "NotOwner" } : { _tag: "Failed", error }
}

const pending: Answer = { _tag: "Pending" }

/** The calls of one batch from another node while this node's wallets work on them. */
class InboundBatch {
  private readonly current: Array<Answer>
  private open: number
  private readonly done = Latch.makeUnsafe()

  constructor(calls: number) {
    this.current = new Array<Answer>(calls).fill(pending)
    this.open = calls
  }

  get isDone(): boolean {
    return this.open === 0
  }

  /** Once per call. */
  answer(index: number, answer: Answer): void {
    this.current[index] = answer
    if (--this.open === 0) this.done.openUnsafe()
  }

  /** Waits for all answers, at most so many milliseconds. */
  wait(millis: number): Effect.Effect<void> {
    return this.isDone ? Effect.void : Effect.asVoid(Effect.timeoutOption(this.done.await, millis))
  }

  /** As they are now. */
  answers(): ReadonlyArray<Answer> {
    return this.current.slice()
  }
}

interface PendingBatch {
  readonly batch: InboundBatch
  readonly epochs: ReadonlyArray<number | null>
  /** Milliseconds. */
  readonly expiresAt: number
}

const notOwner: Answer = { _tag: "NotOwner" }

interface HandlerContext {
  readonly ownership: Ownership["Service"]
  readonly registry: WalletRegistry["Service"]
  readonly clock: Clock.Clock
}

/** In order, and all in one turn: nothing comes between the calls of a batch. */
const offer = (
  { clock, ownership, registry }: HandlerContext,
  wallets: ReadonlyArray<WalletCallsOf>,
  batch: InboundBatch
): ReadonlyArray<number | null> => {
  const now = clock.currentTimeMillisUnsafe()
  let next = 0
  return wallets.map(({ after, calls, walletId }) => {
    const epoch = ownership.epochOf(partitionOf(walletId, ownership.partitions))
    const taken = epoch !== undefined && (after === null || after === epoch)
    const resend = resendOf(calls.flatMap(({ again, call }) => (again && !call.dryRun ? [call.key] : [])))
    for (const { again, call, waitedMillis } of calls) {
      const index = next++
      if (!taken) {
        batch.answer(index, notOwner)
        continue
      }
      const refusal = registry.offer(
        envelopeOf(
          call,
          now - waitedMillis,
          (answer) => batch.answer(index, answerOf(answer)),
          again && !call.dryRun ? resend : undefined
        )
      )
      if (refusal !== undefined) batch.answer(index, answerOf(Effect.fail(refusal)))
    }
    return taken ? epoch : null
  })
}

/** Batches with calls that are not answered yet, by token. */
const makePendingBatches = Effect.fnUntraced(function* (bounds: ActorBounds, clock: Clock.Clock, node: string) {
  const batches = new Map<string, PendingBatch>()
  let tokens = 0
  yield* Effect.forkScoped(
    Effect.repeat(
      Effect.sync(() => {
        const now = elapsedMillis(clock)
        for (const [token, { expiresAt }] of batches) if (expiresAt < now) batches.delete(token)
      }),
      Schedule.spaced(sweepInterval)
    )
  )
  return {
    /** The token by which its sender asks for the rest. */
    add: (batch: InboundBatch, epochs: ReadonlyArray<number | null>): string => {
      const token = `${node} ${++tokens}`
      const expiresAt = elapsedMillis(clock) + bounds.callerWaitMillis + retentionMillis
      batches.set(token, { batch, epochs, expiresAt })
      return token
    },
    get: (token: string) => batches.get(token),
    remove: (token: string) => batches.delete(token)
  }
})

/** What this node answers to texts of `CallCodec`. */
export interface PartitionHandlers {
  /** `null`: unreadable, nothing has happened; `""`: met a defect. */
  readonly ask: (text: string) => Effect.Effect<string | null>
  readonly collect: (token: string) => Effect.Effect<string | null>
  readonly current: (text: string) => Effect.Effect<string>
  readonly owned: (partition: number) => Effect.Effect<number | null>
}

export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const ownership = yield* Ownership
  const registry = yield* WalletRegistry
  const clock = yield* Clock.Clock
  const { owner: node } = yield* NodeIdentity
  const { own: url } = yield* OwnerUrls
  const pendingBatches = yield* makePendingBatches(bounds, clock, node)

  const ask = Effect.fnUntraced(function* (text: string) {
    const decoded = decodeBatch(text)
    if (Result.isFailure(decoded)) {
      yield* Effect.logWarning(`another node's calls are refused, it may be of another release: ${decoded.failure}`)
      return null
    }
    const wallets = decoded.success
    const batch = new InboundBatch(wallets.reduce((total, { calls }) => total + calls.length, 0))
    const epochs = offer({ clock, ownership, registry }, wallets, batch)
    yield* batch.wait(lingerMillis)
    const token = batch.isDone ? null : pendingBatches.add(batch, epochs)
    return encodeReply({ node, url, token, epochs, answers: batch.answers() })
  })

  const collect = Effect.fnUntraced(function* (token: string) {
    const found = pendingBatches.get(token)
    if (found === undefined) return null
    const { batch, epochs } = found
    yield* batch.wait(collectMillis)
    if (batch.isDone) pendingBatches.remove(token)
    return encodeReply({ node, url, token: batch.isDone ? null : token, epochs, answers: batch.answers() })
  })

  const current = Effect.fnUntraced(function* (text: string) {
    const request = decodeCurrentRequest(text)
    if (request === undefined) return encodeCurrentReply({ _tag: "Defect", reason: "a question: unreadable" })
    const exit = yield* Effect.exit(registry.current(request.walletId, request.minVersion))
    return encodeCurrentReply(
      Exit.isSuccess(exit) ? { _tag: "Current", wallet: exit.value ?? null, url } : currentFailure(exit.cause)
    )
  })

  const handlers: PartitionHandlers = {
    ask: (text) => withoutDefects(ask(text)),
    collect: (token) => withoutDefects(collect(token)),
    current: (text) => withoutDefects(current(text)),
    owned: (partition) => Effect.sync(() => ownership.epochOf(partition) ?? null)
  }
  return handlers
})

const currentFailure = (cause: Cause.Cause<ActorError>): CurrentReply => {
  const answer = answerOf(Effect.failCause(cause))
  return answer._tag === "Failed" || answer._tag === "NotOwner"
    ? answer
    : { _tag: "Defect", reason: Cause.pretty(cause) }
}

/** What went wrong is for this node's log; to the sender it is a text that cannot be read, so an unknown outcome. */
const withoutDefects = <A>(effect: Effect.Effect<A>): Effect.Effect<A | string> =>
  Effect.catchDefect(effect, (defect) =>
    Effect.as(Effect.logError("another node's calls met a defect", Cause.die(defect)), "")
  )

/** One set of handlers for all partitions; the entities are small, and never idle out. */
export const layer = (bounds: ActorBounds) =>
  Layer.unwrap(
    Effect.map(make(bounds), ({ ask, collect, current, owned }) =>
      PartitionEntity.toLayer(
        PartitionEntity.of({
          Ask: ({ payload }) => ask(payload),
          Collect: ({ payload }) => collect(payload),
          Current: ({ payload }) => current(payload),
          Owned: ({ payload }) => owned(payload)
        }),
        {
          maxIdleTime: Duration.infinity,
          concurrency: "unbounded",
          // The wallets' own mailboxes are bounded.
          mailboxCapacity: "unbounded"
        }
      )
    )
  )
