/**
 * From what KurrentDB and its client say to what the ports promise.
 *
 * The question that matters is whether an append may have been carried out. Only
 * what is listed here as `notExecuted` surely was not; everything else, also what
 * nobody has seen yet, is `unknown`.
 */
import { AppendUnknown, type ReadError, StoreDefect, StoreUnavailable } from "../StoreError.ts"

/**
 * - `violated`: a check does not hold (`violations` of the client's error says which).
 * - `tooLarge`: beyond a limit of the server for one event or one append.
 * - `answerTooLarge`: the server's answer does not fit its connection (64 kB of headers,
 *   in which it names every check that does not hold). It can be asked about less.
 * - `notLeader`: the client has the wrong node of a cluster, and keeps it.
 * - `transient`: the same call may work later.
 * - `defect`: it will not.
 */
export type KurrentErrorKind = "violated" | "tooLarge" | "answerTooLarge" | "notLeader" | "transient" | "defect"

export interface KurrentErrorClass {
  readonly kind: KurrentErrorKind
  readonly outcome: "notExecuted" | "unknown"
  /** One line for a log or a caller. */
  readonly reason: string
}

interface Said {
  /** The client's own name of the error; `""`: an error that the client has passed on as it was. */
  readonly type: string
  /** gRPC's status; `-1`: none. */
  readonly code: number
  readonly message: string
}

interface Row {
  readonly kind: KurrentErrorKind
  readonly types?: ReadonlyArray<string>
  readonly codes?: ReadonlyArray<number>
  /** Beside a code it narrows the code down; alone it stands for any. */
  readonly message?: RegExp
}

/** gRPC's status codes, as far as they are told apart here. */
const invalidArgument = 3
const permissionDenied = 7
const resourceExhausted = 8
const failedPrecondition = 9
const unimplemented = 12
const internal = 13
const unavailable = 14
const unauthenticated = 16

/** What was surely not carried out; the first row that fits decides. */
const notExecuted: ReadonlyArray<Row> = [
  { kind: "violated", types: ["append-consistency-violation"] },
  {
    kind: "tooLarge",
    types: ["append-record-size-exceeded", "transaction-max-size-exceeded", "maximum-append-size-exceeded"]
  },
  // gRPC's own limit, before the server looks at the request. The same code also stands for a connection that is cut off.
  { kind: "tooLarge", codes: [resourceExhausted], message: /message (?:size|larger)/i },
  { kind: "notLeader", types: ["not-leader"] },
  { kind: "notLeader", codes: [failedPrecondition], message: /not the leader/i },
  { kind: "defect", types: ["stream-deleted", "stream-tombstoned"] },
  { kind: "defect", types: ["access-denied"], codes: [permissionDenied, unauthenticated] },
  { kind: "defect", types: ["invalid-argument", "unsupported"], codes: [invalidArgument, unimplemented] },
  // Never sent: the client had no connection, or found no node.
  { kind: "transient", codes: [unavailable], message: /no connection established|name resolution failed/i },
  { kind: "transient", message: /no connection established|failed to discover/i },
  // Turned away at the door, while the server starts, stops or has too much to do.
  { kind: "transient", message: /server is (?:not ready|too busy)|not yet ready to handle|currently overloaded/i }
]

/** What may have been carried out, and yet is told apart. */
const unknown: ReadonlyArray<Row> = [
  { kind: "answerTooLarge", codes: [internal], message: /internal client error: protocol error/i }
]

const fits = (row: Row, { code, message, type }: Said): boolean => {
  if (row.types?.includes(type) === true) return true
  if (row.codes !== undefined) return row.codes.includes(code) && (row.message?.test(message) ?? true)
  return row.message?.test(message) ?? false
}

const saidBy = (error: unknown): Said => {
  if (typeof error !== "object" || error === null) return { type: "", code: -1, message: String(error) }
  const { code, message, name, type } = error as Readonly<Record<string, unknown>>
  const said = typeof message === "string" ? message.replace(/\s+/g, " ").trim() : ""
  return {
    type: typeof type === "string" ? type : "",
    code: typeof code === "number" ? code : -1,
    message: said === "" ? ([type, name].find((word) => typeof word === "string") ?? "no message") : said
  }
}

export const classifyKurrentError = (error: unknown): KurrentErrorClass => {
  const said = saidBy(error)
  const row = notExecuted.find((row) => fits(row, said))
  if (row !== undefined) return { kind: row.kind, outcome: "notExecuted", reason: said.message }
  const kind = unknown.find((row) => fits(row, said))?.kind ?? "transient"
  return { kind, outcome: "unknown", reason: said.message }
}

/** Milliseconds after which a caller may try again: about what a connection takes to come back. */
const retryAfter = 500

export const logUnavailable = (reason: string): StoreUnavailable =>
  new StoreUnavailable({ store: "log", reason, retryAfter })

export const logDefect = (reason: string): StoreDefect => new StoreDefect({ store: "log", reason })

/** A read, or a write that may be done twice: an unknown outcome is no trouble. */
export const readFailureOf = ({ kind, reason }: KurrentErrorClass): ReadError =>
  kind === "violated" || kind === "tooLarge" || kind === "defect" ? logDefect(reason) : logUnavailable(reason)

/** An append that was not refused by its checks or its size. */
export const appendFailureOf = (failure: KurrentErrorClass): ReadError | AppendUnknown =>
  failure.outcome === "unknown" ? new AppendUnknown({ reason: failure.reason }) : readFailureOf(failure)
