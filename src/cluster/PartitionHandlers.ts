/**
 * Answers what other nodes ask of this one's wallets. A handler never fails and never
 * dies: effect/cluster would build the entity anew and run its requests again.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { Ownership } from "../actors/Ownership.ts"
import type { ActorError, Reply } from "../actors/Mailbox.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { partitionOf } from "../domain/Partition.ts"
import { envelopeOf, resendOf } from "../engine/WalletCalls.ts"
import type { Answer, Current, WalletCallsOf } from "./CallCodec.ts"
import { decodeBatch, decodeQuestion, encodeCurrent, encodeReply } from "./CallCodec.ts"
import { PartitionEntity } from "./PartitionEntity.ts"

/**
 * A batch is answered when all its calls are, or after this: its sender may not send the
 * wallets' next calls before, and a caller that waits for Persistence must not hold them.
 */
const lingerMillis = 50

/** A look for the rest of a batch waits so long. */
const collectMillis = 1_000

/** What nobody has asked for so long after its callers' wait, nobody will. */
const keptMillis = 5_000

/** Between two looks for what nobody has asked for. */
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
  private readonly answers: Array<Answer>
  private open: number
  private wake: ((effect: Effect.Effect<void>) => void) | undefined

  constructor(calls: number) {
    this.answers = new Array<Answer>(calls).fill(pending)
    this.open = calls
  }

  get isDone(): boolean {
    return this.open === 0
  }

  /** Once per call. */
  answer(index: number, answer: Answer): void {
    this.answers[index] = answer
    if (--this.open > 0) return
    this.wake?.(Effect.void)
    this.wake = undefined
  }

  /** Waits for all, at most so many milliseconds. One waiter at a time: the last is the one that counts. */
  wait(millis: number): Effect.Effect<void> {
    if (this.isDone) return Effect.void
    return Effect.callback<void>((resume) => {
      if (this.isDone) return resume(Effect.void)
      this.wake = resume
      return Effect.sync(() => {
        if (this.wake === resume) this.wake = undefined
      })
    }).pipe(Effect.timeoutOption(millis), Effect.asVoid)
  }

  /** As they are now. */
  told(): ReadonlyArray<Answer> {
    return this.answers.slice()
  }
}

interface Kept {
  readonly batch: InboundBatch
  readonly epochs: ReadonlyArray<number | null>
  /** Milliseconds. */
  readonly until: number
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
    const resend = resendOf(calls.flatMap(({ again, call }) => (again ? [call.key] : [])))
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
          again ? resend : undefined
        )
      )
      if (refusal !== undefined) batch.answer(index, answerOf(Effect.fail(refusal)))
    }
    return taken ? epoch : null
  })
}

/** Batches with calls that are not answered yet, by token. */
const makeKept = Effect.fnUntraced(function* (bounds: ActorBounds, clock: Clock.Clock, node: string) {
  const kept = new Map<string, Kept>()
  let tokens = 0
  yield* Effect.forkScoped(
    Effect.repeat(
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        for (const [token, { until }] of kept) if (until < now) kept.delete(token)
      }),
      Schedule.spaced(sweepInterval)
    )
  )
  return {
    keep: (batch: InboundBatch, epochs: ReadonlyArray<number | null>): string => {
      const token = `${node} ${++tokens}`
      const until = clock.currentTimeMillisUnsafe() + bounds.callerWaitMillis + keptMillis
      kept.set(token, { batch, epochs, until })
      return token
    },
    get: (token: string) => kept.get(token),
    forget: (token: string) => kept.delete(token)
  }
})

/** What this node says to texts of `CallWire`. */
export interface PartitionAnswers {
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
  const kept = yield* makeKept(bounds, clock, node)

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
    const token = batch.isDone ? null : kept.keep(batch, epochs)
    return encodeReply({ node, token, epochs, answers: batch.told() })
  })

  const collect = Effect.fnUntraced(function* (token: string) {
    const found = kept.get(token)
    if (found === undefined) return null
    const { batch, epochs } = found
    yield* batch.wait(collectMillis)
    if (batch.isDone) kept.forget(token)
    return encodeReply({ node, token: batch.isDone ? null : token, epochs, answers: batch.told() })
  })

  const current = Effect.fnUntraced(function* (text: string) {
    const question = decodeQuestion(text)
    if (question === undefined) return encodeCurrent({ _tag: "Defect", reason: "a question: unreadable" })
    const exit = yield* Effect.exit(registry.current(question.walletId, question.minVersion))
    return encodeCurrent(
      Exit.isSuccess(exit) ? { _tag: "Current", wallet: exit.value ?? null } : currentFailure(exit.cause)
    )
  })

  const answers: PartitionAnswers = {
    ask: (text) => answered(ask(text)),
    collect: (token) => answered(collect(token)),
    current: (text) => answered(current(text)),
    owned: (partition) => Effect.sync(() => ownership.epochOf(partition) ?? null)
  }
  return answers
})

const currentFailure = (cause: Cause.Cause<ActorError>): Current => {
  const answer = answerOf(Effect.failCause(cause))
  return answer._tag === "Failed" || answer._tag === "NotOwner"
    ? answer
    : { _tag: "Defect", reason: Cause.pretty(cause) }
}

/** What went wrong is for this node's log; to the sender it is a text that cannot be read, so an unknown outcome. */
const answered = <A>(effect: Effect.Effect<A>): Effect.Effect<A | string> =>
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
