/**
 * A load that is sent by several threads: where one is not enough to send as much as a service takes, or its own turns
 * show in the latencies. Each draws the whole load and sends its turns of it, over connections of its own; what they
 * have counted is put together at the end, so that the report and the check are of the load as a whole.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Worker } from "node:worker_threads"
import { threadProgram } from "../stores/PackageFile.ts"
import type { CommandLedger, PackedLedger } from "./CommandLedger.ts"
import type { HttpTargetOptions } from "./HttpTarget.ts"
import type { PackedHistogram } from "./LatencyHistogram.ts"
import type { LoadOptions, SendOptions } from "./Load.ts"
import type { PackedTally, Tally } from "./Tally.ts"
import type { Turn } from "./Turns.ts"

export interface LoadThreads {
  /** 2–64. */
  readonly count: number
  /** The service that all of them drive. */
  readonly target: HttpTargetOptions
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly options: SendOptions & Pick<LoadOptions, "run">
  readonly turn: Turn
  /** The number of the load's first command. */
  readonly from: number
  readonly target: Omit<HttpTargetOptions, "url" | "apiKey"> & { readonly url: string; readonly apiKey: string }
}

/** What a thread says: that it can begin, what has come since it last said so, and at the end all of it. */
export type ThreadMessage =
  | { readonly _tag: "Ready" }
  | {
      readonly _tag: "Progress"
      readonly answered: number
      readonly failures: number
      readonly recent: PackedHistogram
    }
  | { readonly _tag: "Done"; readonly tally: PackedTally; readonly ledger: PackedLedger }

const workerUrl = (): URL => threadProgram(import.meta.url, "load/LoadThreads", "bin/loadWorker")

interface Counted {
  readonly tally: Tally
  readonly ledger: CommandLedger
}

const startThread = Effect.fnUntraced(function* (start: ThreadStart) {
  const ready = yield* Deferred.make<void>()
  const done = yield* Deferred.make<Extract<ThreadMessage, { readonly _tag: "Done" }>>()
  const counted: { tally: Tally | undefined } = { tally: undefined }
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(workerUrl(), { workerData: start, execArgv: [], name: "effect-wallet-load" })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const broken = (why: unknown) => {
    Deferred.doneUnsafe(ready, Effect.die(why))
    Deferred.doneUnsafe(done, Effect.die(why))
  }
  worker.on("message", (message: ThreadMessage) => {
    if (message._tag === "Ready") Deferred.doneUnsafe(ready, Effect.void)
    else if (message._tag === "Done") Deferred.doneUnsafe(done, Effect.succeed(message))
    else counted.tally?.addRecent(message.answered, message.failures, message.recent)
  })
  worker.on("error", broken)
  worker.on("exit", (code) => broken(new Error(`a thread of the load has ended with ${code}`)))
  const send = ({ ledger, tally }: Counted) =>
    Effect.suspend(() => {
      counted.tally = tally
      // The one message that a thread gets: all are ready. A thread has no origin.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage({ _tag: "Begin" })
      return Effect.map(Deferred.await(done), (message) => {
        tally.addPacked(message.tally)
        ledger.addPacked(message.ledger)
      })
    })
  return { ready: Deferred.await(ready), send }
})

/** Completes when all threads could begin; what is sent is counted into what `send` is given. */
export const startThreads = Effect.fnUntraced(function* (
  { batch, distribution, drainMillis, loop, mix, phases, run, seed }: LoadOptions,
  { count, target }: LoadThreads,
  from: number
): Effect.fn.Return<{ readonly send: (counted: Counted) => Effect.Effect<void> }, never, Scope.Scope> {
  const options = { batch, distribution, drainMillis, loop, mix, phases, run, seed }
  const { apiKey, url, ...rest } = target
  const threads = yield* Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) =>
      startThread({
        options,
        turn: { index, of: count },
        from,
        target: { ...rest, url: url.href, apiKey: Redacted.value(apiKey) }
      })
  )
  yield* Effect.forEach(threads, ({ ready }) => ready, { concurrency: "unbounded", discard: true })
  return {
    send: (counted) => Effect.forEach(threads, ({ send }) => send(counted), { concurrency: "unbounded", discard: true })
  }
})
