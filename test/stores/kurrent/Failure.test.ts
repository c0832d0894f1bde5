import { assert, describe, it } from "@effect/vitest"
import {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  StreamDeletedError,
  TimeoutError,
  UnavailableError,
  UnknownError
} from "@kurrent/kurrentdb-client"
import { isNewEnough } from "../../../src/stores/kurrent/Connection.ts"
import {
  appendFailureOf,
  classifyKurrentError,
  type KurrentErrorKind,
  readFailureOf
} from "../../../src/stores/kurrent/Failure.ts"
import { isPrefix } from "../../../src/stores/kurrent/Names.ts"
import { offsetOf, positionAt } from "../../../src/stores/kurrent/Position.ts"

/** As gRPC makes them. */
const grpc = (code: number, message: string) => Object.assign(new Error(message), { code, details: message })
type Grpc = ConstructorParameters<typeof UnknownError>[0]
const wrapped = <A>(Wrapper: new (error: Grpc) => A, code: number, message: string): A =>
  new Wrapper(grpc(code, message) as Grpc)
const named = (type: string) => Object.assign(new Error(type), { type })

const refused = "14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED"

/** What is said, and what it means: kind, and whether the append surely was not carried out. */
const rows: ReadonlyArray<readonly [name: string, error: unknown, kind: KurrentErrorKind, surelyNot: boolean]> = [
  ["a check that does not hold", named("append-consistency-violation"), "violated", true],
  ["an event beyond the server's limit", named("append-record-size-exceeded"), "tooLarge", true],
  ["an append beyond the server's limit", named("transaction-max-size-exceeded"), "tooLarge", true],
  [
    "a message beyond gRPC's limit",
    wrapped(UnknownError, 8, "8 RESOURCE_EXHAUSTED: Received message exceeds the maximum configured message size."),
    "tooLarge",
    true
  ],
  [
    "too much for the connection",
    wrapped(UnknownError, 8, "8 RESOURCE_EXHAUSTED: Bandwidth exhausted"),
    "transient",
    false
  ],
  ["another leader, by the client's name", named("not-leader"), "notLeader", true],
  [
    "another leader, in the server's words",
    wrapped(UnknownError, 9, "9 FAILED_PRECONDITION: The server is not the leader node and cannot handle the request."),
    "notLeader",
    true
  ],
  ["another precondition", wrapped(UnknownError, 9, "9 FAILED_PRECONDITION: who knows"), "transient", false],
  ["a deleted stream", StreamDeletedError.fromStreamName("wallet-a"), "defect", true],
  ["no right to write", wrapped(UnknownError, 7, "7 PERMISSION_DENIED: Access denied."), "defect", true],
  ["no valid name", wrapped(AccessDeniedError, 16, "16 UNAUTHENTICATED"), "defect", true],
  ["a request that is not in order", wrapped(UnknownError, 3, "3 INVALID_ARGUMENT: Each stream once"), "defect", true],
  ["a server without this call", wrapped(UnknownError, 12, "12 UNIMPLEMENTED"), "defect", true],
  ["no connection", wrapped(UnavailableError, 14, refused), "transient", true],
  ["no connection, as the client lets it through", new Error(refused), "transient", true],
  [
    "no such host",
    wrapped(UnavailableError, 14, "14 UNAVAILABLE: Name resolution failed for dns:x"),
    "transient",
    true
  ],
  ["no node of a cluster found", new Error("Failed to discover after 10 attempts."), "transient", true],
  [
    "a server that starts",
    wrapped(UnavailableError, 14, "14 UNAVAILABLE: The server is not yet ready to handle requests."),
    "transient",
    true
  ],
  ["a server that starts, to a reader", wrapped(UnknownError, 14, "Server Is Not Ready"), "transient", true],
  [
    "a server with too much to do",
    wrapped(UnavailableError, 14, "14 UNAVAILABLE: The server is currently overloaded and cannot handle the request."),
    "transient",
    true
  ],
  ["a connection that broke", wrapped(UnavailableError, 14, "14 UNAVAILABLE: Connection dropped"), "transient", false],
  ["an inner error of the server", wrapped(UnavailableError, 13, "13 INTERNAL: PrepareTimeout"), "transient", false],
  [
    "a refusal with too much to say",
    wrapped(
      UnavailableError,
      13,
      "13 INTERNAL: Received RST_STREAM with code 2 triggered by internal client error: Protocol error"
    ),
    "answerTooLarge",
    false
  ],
  ["a deadline", wrapped(DeadlineExceededError, 4, "4 DEADLINE_EXCEEDED: waiting for commit"), "transient", false],
  ["a commit that timed out", wrapped(TimeoutError, 10, "10 ABORTED"), "transient", false],
  ["a call that was cancelled", wrapped(CancelledError, 1, "1 CANCELLED: Call cancelled"), "transient", false],
  ["a handler that threw", wrapped(UnknownError, 2, "2 UNKNOWN: Exception was thrown by handler."), "transient", false],
  ["what nobody has seen yet", { strange: true }, "transient", false],
  ["what is no error at all", "boom", "transient", false],
  ["nothing", undefined, "transient", false]
]

describe("an error of KurrentDB", () => {
  for (const [name, error, kind, surelyNot] of rows) {
    it(`${name}: ${kind}, ${surelyNot ? "surely not carried out" : "perhaps carried out"}`, () => {
      const failure = classifyKurrentError(error)
      assert.strictEqual(failure.kind, kind)
      assert.strictEqual(failure.outcome, surelyNot ? "notExecuted" : "unknown")
      assert.isAbove(failure.reason.length, 0)
      assert.notInclude(failure.reason, "\n")
    })
  }

  it("leaves the outcome of an append unknown unless it surely was not carried out", () => {
    for (const [name, error, kind, surelyNot] of rows) {
      if (kind === "violated" || kind === "tooLarge") continue
      const expected = !surelyNot ? "AppendUnknown" : kind === "defect" ? "StoreDefect" : "StoreUnavailable"
      assert.strictEqual(appendFailureOf(classifyKurrentError(error))._tag, expected, name)
    }
  })

  it("is worth another try to a reader unless the same call can never work", () => {
    for (const [name, error, kind] of rows) {
      const forGood = kind === "violated" || kind === "tooLarge" || kind === "defect"
      const expected = forGood ? "StoreDefect" : "StoreUnavailable"
      assert.strictEqual(readFailureOf(classifyKurrentError(error))._tag, expected, name)
    }
  })
})

describe("a server's version", () => {
  it.each([
    ["26.0.3", true],
    ["26.0.10", true],
    ["26.1.0", true],
    ["26.1.0-rc.1", true],
    ["27.0.0", true],
    ["26.0.2", false],
    ["25.1.9", false],
    ["24.10.6", false],
    ["unknown", false],
    ["", false]
  ] as const)("%s: %s", (version, enough) => {
    assert.strictEqual(isNewEnough(version), enough)
  })
})

describe("a prefix of streams", () => {
  it.each([
    ["wallet", true],
    ["t0_x", true],
    ["a".repeat(32), true],
    ["a".repeat(33), false],
    ["", false],
    ["Wallet", false],
    ["1wallet", false],
    ["$wallet", false],
    ["wallet-eu", false],
    ["wallet.claims", false]
  ] as const)("%s: %s", (prefix, fits) => {
    assert.strictEqual(isPrefix(prefix), fits)
  })
})

describe("a position", () => {
  it("tells the place behind an event from the one before it", () => {
    for (const offset of [0n, 1n, 733n, 2n ** 62n - 1n]) {
      const position = positionAt(offset)
      assert.strictEqual(offsetOf(position), offset)
      assert.strictEqual(offsetOf(position - 1n), offset)
      assert.isTrue(position > 0n && positionAt(offset + 1n) > position)
    }
  })
})
