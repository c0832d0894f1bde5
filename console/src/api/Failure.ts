/** What went wrong with a call, in words, and what it means for a command: whether it may have happened. */
import * as Cause from "effect/Cause"
import * as HttpClientError from "effect/http/HttpClientError"
import { isProblemCode, type ProblemCode } from "../../../src/http/api/Problem.ts"

/**
 * `nothing`: it has not happened, and its key is free. `ended`: it has come to an end that is on record, its key is used.
 * `unknown`: only the same request with the same key tells.
 */
export type Meaning = "nothing" | "ended" | "unknown"

/** Its effect was undone, and the same key gets the same answer for ever. */
const ended: ReadonlySet<ProblemCode> = new Set<ProblemCode>(["OperationReversed", "TransferReversed"])

/** May have happened. */
const unknown: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "OutcomeUnknown",
  "InternalError",
  "IdempotencyInProgress"
])

interface Problem {
  readonly _tag: ProblemCode
  readonly title: string
  readonly detail?: string
  readonly status: number
  readonly retryable: boolean
  readonly requestId?: string
  readonly errors?: ReadonlyArray<{ readonly pointer: string; readonly detail: string }>
}

const isProblem = (error: unknown): error is Problem =>
  typeof error === "object" &&
  error !== null &&
  "_tag" in error &&
  typeof error._tag === "string" &&
  isProblemCode(error._tag)

export class Failure extends Error {
  readonly code: ProblemCode | "NoAnswer" | "Unreadable"
  readonly meaning: Meaning
  readonly retryable: boolean
  /** Of the answer; 0: there was none. */
  readonly status: number
  readonly requestId: string | undefined
  /** Beyond the message. */
  readonly details: ReadonlyArray<string>

  constructor(
    fields: Pick<Failure, "code" | "message" | "meaning" | "retryable" | "status" | "requestId" | "details">
  ) {
    super(fields.message)
    this.code = fields.code
    this.meaning = fields.meaning
    this.retryable = fields.retryable
    this.status = fields.status
    this.requestId = fields.requestId
    this.details = fields.details
  }

  /**
   * Whether this, as the answer to a command that is sent again because its outcome was unknown, says that it has not
   * happened. A rule's answer does: the key is looked up before every rule. That a store is away, or that the key is not
   * let in any more, says nothing about the first time.
   */
  get settles(): boolean {
    return this.meaning !== "unknown" && [404, 409, 412, 422].includes(this.status)
  }
}

const ofProblem = (problem: Problem): Failure =>
  new Failure({
    code: problem._tag,
    message: problem.detail ?? problem.title,
    meaning: ended.has(problem._tag) ? "ended" : unknown.has(problem._tag) ? "unknown" : "nothing",
    retryable: problem.retryable,
    status: problem.status,
    requestId: problem.requestId,
    details: (problem.errors ?? []).map(({ detail, pointer }) => `${pointer || "/"}: ${detail}`)
  })

const noAnswer = new Failure({
  code: "NoAnswer",
  message: "The service does not answer. It may be stopped, or the network between is down.",
  meaning: "unknown",
  retryable: true,
  status: 0,
  requestId: undefined,
  details: []
})

const isUnanswered = (error: unknown): boolean =>
  Cause.isTimeoutError(error) || (HttpClientError.isHttpClientError(error) && error.reason._tag === "TransportError")

const unreadable = (message: string): Failure =>
  new Failure({
    code: "Unreadable",
    message: `The answer is not one of this service's: ${message.slice(0, 300)}`,
    meaning: "unknown",
    retryable: false,
    status: 0,
    requestId: undefined,
    details: []
  })

/** Of everything that a call may end with. */
export const failureOf = (cause: Cause.Cause<unknown>): Failure => {
  const error = Cause.squash(cause)
  if (isProblem(error)) return ofProblem(error)
  if (isUnanswered(error)) return noAnswer
  return unreadable(error instanceof Error ? error.message : String(error))
}
