/** Commands at a constant rate through the library. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import { Arrivals, type OpenLoad, tickMillis } from "./Arrivals.ts"

/** On their way at once: beyond it a command is not sent, and counted. Below what a node takes in, a second's worth or so. */
const mostOnTheirWay = 32_768

/** Waits for the answers of all that were sent. */
export const runOpen = Effect.fnUntraced(function* <E, R>(
  load: OpenLoad,
  send: (n: number) => Effect.Effect<unknown, E, R>
) {
  const fibers = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(fibers)<R>()
  const arrivals = new Arrivals(load, performance.now())
  let onTheirWay = 0
  const sendDue = (n: number) => {
    if (onTheirWay >= mostOnTheirWay) return arrivals.notSent(n)
    onTheirWay++
    run(Effect.flatMap(Effect.exit(send(n)), (exit) => answered(n, Exit.isSuccess(exit))))
  }
  const answered = (n: number, accepted: boolean) =>
    Effect.sync(() => {
      onTheirWay--
      arrivals.answered(n, accepted, performance.now())
    })
  while (arrivals.due(performance.now(), sendDue)) yield* Effect.sleep(tickMillis)
  yield* FiberSet.awaitEmpty(fibers)
  return arrivals.result
}, Effect.scoped)
