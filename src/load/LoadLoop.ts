/**
 * The two ways to send a load. In an open loop the arrivals decide when: one that finds no connection free is sent as
 * soon as there is one, and its latency counts from when it was due. In a closed loop the answers decide: a caller sends
 * its next operation when it has the answer to the one before.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { type LoadReply, notAccepted } from "./LoadTarget.ts"
import { judgeFailure } from "./Outcome.ts"
import type { Operations } from "./Operations.ts"
import { Pacer } from "./Pacer.ts"
import type { Tally } from "./Tally.ts"
import type { Operation } from "./Workload.ts"

export interface LoopOptions {
  readonly tally: Tally
  readonly operations: Operations
  readonly nextOperation: () => Operation
  /** Operations of one request. */
  readonly batch: number
  /** Milliseconds since the load began, monotonic. */
  readonly elapsed: () => number
  /** After the last phase so long for what is still due or on its way, milliseconds. */
  readonly drainMillis: number
}

const noAnswer = notAccepted("NoAnswer", judgeFailure("NoAnswer"))

/** Sends what is due as one request, and counts its answer whenever it comes; interrupted, that none came. */
const sendDue = (options: LoopOptions, slot: number, due: number): Effect.Effect<LoadReply> =>
  Effect.suspend(() => {
    const { batch, elapsed, nextOperation, operations, tally } = options
    const sentAt = elapsed()
    const given = Array.from({ length: batch }, nextOperation)
    for (const _ of given) tally.sent(due, sentAt)
    const complete = (replies: ReadonlyArray<LoadReply>): LoadReply => {
      const times = { due, sentAt, now: elapsed() }
      given.forEach((operation, index) => tally.completed(operation, times, replies[index] ?? noAnswer))
      return replies[0] ?? noAnswer
    }
    const sent =
      batch === 1
        ? Effect.map(operations.perform(slot, given[0]!), (reply) => [reply])
        : operations.performAll(slot, given)
    return Effect.onInterrupt(Effect.map(sent, complete), () => Effect.sync(() => void complete([])))
  })

/** Between two looks while every connection is in use, milliseconds; each answer is a look, too. */
const busyMillis = 5

/**
 * The shortest wait, milliseconds, where arrivals are further apart: to the instant. Where they are not, what is due
 * within half a millisecond goes out together, so that waiting takes little of the processor.
 */
const [shortestMillis, togetherMillis] = [0.05, 0.5]

/** Arrivals further apart than this are each waited for, milliseconds. */
const apartMillis = 1.5

/** `nextDue`: milliseconds from the start, upwards; `Infinity`: no more. `connections`: requests on their way at most. */
export const openLoop = Effect.fnUntraced(function* (options: LoopOptions, nextDue: () => number, connections: number) {
  const { elapsed, drainMillis, tally } = options
  const pacer = yield* Pacer
  const fibers = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(fibers)()
  const endsAt = tally.end + drainMillis
  // The last one that was used is the next one: as few as are needed.
  const free = Array.from({ length: connections }, (_, index) => connections - 1 - index)
  const queue = { due: nextDue(), before: -Infinity, over: false }
  const dispatch = () => {
    while (!queue.over && free.length > 0 && queue.due <= elapsed()) {
      const slot = free.pop()!
      run(Effect.ensuring(sendDue(options, slot, queue.due), freed(slot)))
      queue.before = queue.due
      queue.due = nextDue()
    }
  }
  const freed = (slot: number) =>
    Effect.sync(() => {
      free.push(slot)
      dispatch()
    })
  while (elapsed() < endsAt) {
    dispatch()
    if (queue.due === Infinity) break
    const least = queue.due - queue.before > apartMillis ? shortestMillis : togetherMillis
    yield* pacer.wait(free.length === 0 ? busyMillis : Math.max(least, queue.due - elapsed()))
  }
  yield* Effect.timeoutOption(FiberSet.awaitEmpty(fibers), Math.max(0, endsAt - elapsed()))
  queue.over = true
  yield* FiberSet.clear(fibers)
  for (; queue.due !== Infinity; queue.due = nextDue()) {
    for (let one = 0; one < options.batch; one++) tally.missed(queue.due)
  }
}, Effect.scoped)

/** Nobody answers: a pause, so that the load does not become a storm of connections. */
const brokenPause = "100 millis"

export const closedLoop = Effect.fnUntraced(function* (options: LoopOptions, callers: number) {
  const { drainMillis, elapsed, tally } = options
  const fibers = yield* FiberSet.make()
  const caller = Effect.fnUntraced(function* (slot: number) {
    for (let now = elapsed(); now < tally.end; now = elapsed()) {
      const { code } = yield* sendDue(options, slot, now)
      if (code === "ConnectionBroken" || code === "ConnectionRefused") yield* Effect.sleep(brokenPause)
    }
  })
  for (let slot = 0; slot < callers; slot++) yield* FiberSet.run(fibers, caller(slot))
  yield* Effect.timeoutOption(FiberSet.awaitEmpty(fibers), tally.end + drainMillis - elapsed())
  yield* FiberSet.clear(fibers)
}, Effect.scoped)
