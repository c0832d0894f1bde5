/**
 * From what the database says to what the ports promise, and the time limit that
 * every call to it has.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { SqlError } from "effect/sql/SqlError"
import { classifySqlError, type SqlErrorClass } from "./ErrorClass.ts"
import {
  AppendUnknown,
  OperationRefused,
  type ReadError,
  StoreDefect,
  type StoreName,
  StoreUnavailable
} from "../StoreError.ts"

/** Milliseconds after which a caller may try again: about what a connection takes to come back. */
const retryAfter = 500

export const unavailable = (store: StoreName, reason: string): StoreUnavailable =>
  new StoreUnavailable({ store, reason, retryAfter })

/** A read, or a write that may be done twice: an unknown outcome is no trouble. */
export const readFailure =
  (store: StoreName) =>
  (error: SqlError): ReadError => {
    const { kind, reason } = classifySqlError(error)
    return kind === "transient" ? unavailable(store, reason) : new StoreDefect({ store, reason })
  }

/** An append: what was surely not written is told from what may have been. */
export const appendFailure = (
  failure: SqlErrorClass
): StoreUnavailable | AppendUnknown | OperationRefused | StoreDefect => {
  if (failure.outcome === "unknown") return new AppendUnknown({ reason: failure.reason })
  switch (failure.kind) {
    case "transient":
      return unavailable("log", failure.reason)
    case "refusal":
      return new OperationRefused({ reason: failure.reason })
    case "defect":
      return new StoreDefect({ store: "log", reason: failure.reason })
  }
}

/** A write that may be done twice: an unknown outcome is no trouble, a user's rule is told apart. */
export const writeFailure = (failure: SqlErrorClass): ReadError | OperationRefused => {
  if (failure.outcome === "unknown" || failure.kind === "transient") return unavailable("persistence", failure.reason)
  return failure.kind === "refusal"
    ? new OperationRefused({ reason: failure.reason })
    : new StoreDefect({ store: "persistence", reason: failure.reason })
}

/**
 * Ends the wait after `millis`. The statement is cancelled behind the caller's
 * back: cancelling has to wait for the server, and a server that is away is the
 * reason for the time limit.
 */
export const withTimeLimit =
  <E2>(millis: number, onTimeout: () => E2) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.flatMap(Effect.forkDetach(self), (fiber) => {
      const abandon = Effect.forkDetach(Fiber.interrupt(fiber))
      return Fiber.join(fiber).pipe(
        Effect.timeoutOrElse({
          duration: millis,
          orElse: () => Effect.andThen(abandon, Effect.fail(onTimeout()))
        }),
        Effect.onInterrupt(() => abandon)
      )
    })

/** The time limit of a read. */
export const withinReadLimit = (store: StoreName, millis: number) =>
  withTimeLimit(millis, (): ReadError => unavailable(store, `no answer within ${millis} ms`))

/** A read with its time limit, every failure translated. */
export const reading =
  (store: StoreName, millis: number) =>
  <A>(self: Effect.Effect<A, SqlError>): Effect.Effect<A, ReadError> =>
    withinReadLimit(store, millis)(Effect.mapError(self, readFailure(store)))
