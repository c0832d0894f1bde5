/**
 * What an error of the database means for the one who sent the statement: try again, a user's
 * rule said no, or something is broken; and whether the statement may have been carried out.
 * From there to what the ports promise, and the time limit that every call to the database has.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import {
  AppendUnknown,
  OperationRefused,
  type ReadError,
  StoreDefect,
  type StoreName,
  StoreUnavailable
} from "../StoreError.ts"
import { ConnectFailed } from "./DatabaseAddress.ts"

/**
 * - `transient`: the database cannot serve now; the same statement may work later.
 * - `refusal`: a rule of the user's own, a trigger or a constraint that is not ours.
 * - `defect`: everything else, our own constraints included.
 */
export type ErrorKind = "transient" | "refusal" | "defect"

/**
 * - `notExecuted`: surely nothing of the statement (its transaction) stands.
 * - `unknown`: the answer was lost after the statement was sent: it may stand, or
 *   may yet come to stand.
 */
export type ErrorOutcome = "notExecuted" | "unknown"

export interface ErrorClass {
  readonly kind: ErrorKind
  readonly outcome: ErrorOutcome
  /** `undefined`: the server has not said anything. */
  readonly sqlState: string | undefined
  readonly constraint: string | undefined
  /** One line for a log or a caller: the server's message, without the detail that quotes rows. */
  readonly reason: string
}

/** All our constraints are named `ew_<table>_<what>`. */
const ourConstraint = /^ew_/

/** The longest prefix that matches decides; what matches nothing is a defect. */
const kindBySqlState: ReadonlyArray<readonly [prefix: string, kind: ErrorKind]> = [
  ["08", "transient"], // connection
  ["23", "refusal"], // constraint; ours are told apart by their names
  ["23502", "defect"], // not null: cannot be told apart, and a user has checks and triggers to say so
  ["25006", "transient"], // read-only: a fail-over is under way
  ["40", "transient"], // serialization, deadlock
  ["53", "transient"], // out of resources, connections
  ["55P03", "transient"], // lock not available in time
  ["57", "transient"], // operator intervention, statement timeout, shutdown
  ["58", "transient"], // the system under the server
  ["P0001", "refusal"] // raise exception
]

/** Answers of the server that do not say that nothing was done. */
const outcomeUnknown = /^(08|40003$)/

interface ServerFields {
  readonly code?: unknown
  readonly constraint?: unknown
  readonly severity?: unknown
  readonly severityUnlocalized?: unknown
  readonly message?: unknown
}

const fieldsOf = (cause: unknown): ServerFields => (typeof cause === "object" && cause !== null ? cause : {})

/** Node's errors have a `code` too, and `EPIPE` looks like a SQLSTATE; only a server says how severe it is. */
const sqlStateOf = (fields: ServerFields): string | undefined =>
  typeof fields.code === "string" && typeof (fields.severityUnlocalized ?? fields.severity) === "string"
    ? fields.code
    : undefined

const kindOfSqlState = (sqlState: string, constraint: string | undefined, refusalCodes: ReadonlyArray<string>) => {
  let kind: ErrorKind = "defect"
  let matched = 0
  for (const [prefix, candidate] of kindBySqlState) {
    if (prefix.length > matched && sqlState.startsWith(prefix)) {
      kind = candidate
      matched = prefix.length
    }
  }
  if (refusalCodes.includes(sqlState)) kind = "refusal"
  return kind === "refusal" && constraint !== undefined && ourConstraint.test(constraint) ? "defect" : kind
}

const outcomeOf = (error: SqlError, sqlState: string | undefined, fields: ServerFields): ErrorOutcome => {
  const reason = error.reason
  if (reason.operation === "connect") return "notExecuted"
  if (sqlState !== undefined) {
    // FATAL and PANIC end the session, and may do so between the commit and its answer.
    const aborted = fields.severityUnlocalized === undefined || fields.severityUnlocalized === "ERROR"
    return aborted && !outcomeUnknown.test(sqlState) ? "notExecuted" : "unknown"
  }
  if (reason.operation === "commit") return "notExecuted"
  return reason.message === "PgConnection: Failed to encode query" ? "notExecuted" : "unknown"
}

export interface ErrorClassOptions {
  /** Further SQLSTATEs by which the user's triggers refuse, five characters each. */
  readonly refusalCodes?: ReadonlyArray<string> | undefined
}

/**
 * An Effect timeout or an interruption around a statement is no `SqlError`: its
 * outcome is unknown.
 */
export const classifyError = (error: SqlError, options: ErrorClassOptions = {}): ErrorClass => {
  const fields = fieldsOf(error.reason.cause)
  const sqlState = sqlStateOf(fields)
  const constraint = typeof fields.constraint === "string" ? fields.constraint : undefined
  const said = typeof fields.message === "string" ? fields.message : (error.reason.message ?? "no message")
  return {
    kind:
      sqlState === undefined
        ? error.reason._tag === "ConnectionError"
          ? "transient"
          : "defect"
        : kindOfSqlState(sqlState, constraint, options.refusalCodes ?? []),
    outcome: outcomeOf(error, sqlState, fields),
    sqlState,
    constraint,
    reason: sqlState === undefined ? said : `${said} (SQLSTATE ${sqlState})`
  }
}

/** The same with what the server has said as its message, for the line that a start ends with. */
export const withReason = (error: SqlError): SqlError => {
  const { reason, sqlState } = classifyError(error)
  const { cause, operation } = error.reason
  // What could not be reached is named already.
  const message = cause instanceof ConnectFailed ? reason : `the database: ${reason}`
  const props = { cause, operation, message }
  // Only the server's word tells what kind it is; without it, a connection is what failed.
  return new SqlError({ reason: sqlState === undefined ? new ConnectionError(props) : new UnknownError(props) })
}

/** Milliseconds after which a caller may try again: about what a connection takes to come back. */
const retryAfter = 500

export const unavailable = (store: StoreName, reason: string): StoreUnavailable =>
  new StoreUnavailable({ store, reason, retryAfter })

/** Rows that are as expected, and do not move however often they are written, will not move: something keeps them. */
export const immovable = (store: StoreName, walletId: string): StoreDefect =>
  new StoreDefect({
    store,
    reason:
      `the rows of wallet ${walletId} cannot be written, though they are as expected: ` +
      "look at triggers and at ew_* constraints"
  })

/** A read, or a write that may be done twice: an unknown outcome is no trouble. */
export const readFailure =
  (store: StoreName) =>
  (error: SqlError): ReadError => {
    const { kind, reason } = classifyError(error)
    return kind === "transient" ? unavailable(store, reason) : new StoreDefect({ store, reason })
  }

/** An append: what was surely not written is told from what may have been. */
export const appendFailure = (
  failure: ErrorClass
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
export const writeFailure = (failure: ErrorClass): ReadError | OperationRefused => {
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
