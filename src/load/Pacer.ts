/**
 * How an open loop waits until a command is due. Timers of the event loop are whole milliseconds and late by up to one,
 * which would be the load's own part of a latency of one or two: `layerThread` waits on a thread of its own instead,
 * to some hundredths of a millisecond, and takes no processor for it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Worker } from "node:worker_threads"
import { threadProgram } from "../stores/PackageFile.ts"

const workerUrl = (): URL => threadProgram(import.meta.url, "load/Pacer", "load/pacerWorker")

/** What the thread waits on: a count of the waits that were asked for, and how long the last one is, microseconds. */
export type PacerMemory = Int32Array<SharedArrayBuffer>

/**
 * A thread is woken so much early, milliseconds, and the event loop turns for the rest: on a busy machine waking takes
 * some tenths of a millisecond, twice.
 */
const earlyMillis = 0.4

/** A wait is no longer than this at a time, milliseconds: what it is for may be over. */
const longestMillis = 1_000

export class Pacer extends Context.Reference<{
  /** Waits at most so many milliseconds, at most a second; one at a time. It may end early: ask the clock, and wait again. */
  readonly wait: (millis: number) => Effect.Effect<void>
}>("effect-wallet/load/Pacer", {
  defaultValue: () => ({ wait: (millis) => Effect.sleep(Math.min(millis, longestMillis)) })
}) {
  /** Until the scope closes. */
  static readonly layerThread: Layer.Layer<never> = Layer.effect(
    Pacer,
    Effect.gen(function* () {
      const memory: PacerMemory = new Int32Array(new SharedArrayBuffer(8))
      const worker = yield* Effect.acquireRelease(
        Effect.sync(() => new Worker(workerUrl(), { workerData: memory, execArgv: [], name: "effect-wallet-pacer" })),
        (worker) => Effect.promise(() => worker.terminate())
      )
      let done: (() => void) | undefined
      let broken: Error | undefined
      worker.on("message", () => done?.())
      worker.on("error", (error: Error) => {
        broken = error
        done?.()
      })
      return {
        wait: (millis) =>
          millis <= earlyMillis
            ? Effect.yieldNow
            : Effect.callback<void>((resume) => {
                done = () => resume(broken === undefined ? Effect.void : Effect.die(broken))
                Atomics.store(memory, 1, Math.ceil((Math.min(millis, longestMillis) - earlyMillis) * 1_000))
                Atomics.add(memory, 0, 1)
                Atomics.notify(memory, 0)
                return Effect.sync(() => (done = undefined))
              })
      }
    })
  )
}
