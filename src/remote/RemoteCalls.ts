/**
 * One call of a remote engine: attempts at it, with the same request and so the same idempotency key, until one settles
 * it or the time is up.
 *
 * | an attempt meets | it may have had an effect | again |
 * |---|---|---|
 * | no connection at all | no | yes |
 * | a connection that breaks, no answer in time, an answer that cannot be read | yes | yes |
 * | `IdempotencyInProgress`, `OutcomeUnknown`, `InternalError` | yes | yes |
 * | `StoreUnavailable`, `MailboxFull`, `RateLimited` | no | yes |
 * | a page of something else than the service, status 3xx or 4xx | yes | no |
 * | any other problem: the answer | | no |
 *
 * A command of which some attempt may have had an effect is settled by nothing but an answer of its wallet, which has
 * looked for the key: until then it is `OutcomeUnknown`. All others are told what the last attempt has met.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { MailboxFull, OutcomeUnknown, RateLimited } from "../actors/EngineError.ts"
import { parseJson } from "../domain/Json.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import type { ProblemCode } from "../http/api/Problem.ts"
import { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { type Asked, type ReadProblem, readProblem, type RemoteFailure } from "./RemoteFailures.ts"
import type { RemoteSettings } from "./RemoteOptions.ts"

/** Of an answer that is read whole; a page of 200 large transfers is a few megabytes. */
const maxAnswerBytes = 64 * 1024 * 1024

/** Milliseconds, where the service does not say. */
const defaultRetryAfter = 1_000

/** What an answer's `Retry-After` is believed, seconds. */
const maxRetryAfter = 3_600

/** Goes with the request, for the log lines and events of the service. */
export const CorrelationId = Context.Reference<string | undefined>("effect-wallet/remote/RemoteCalls/CorrelationId", {
  defaultValue: () => undefined
})

/** What an attempt has met that does not settle its call. */
interface Unsettled {
  readonly _tag: "Unsettled"
  /** It may have had an effect. */
  readonly unsure: boolean
  readonly again: boolean
  readonly reason: string
  /** Not for want of an answer: what there was is none that the service gives. */
  readonly unlike?: boolean
  /** What the service has said, in the engine's terms. */
  readonly failure?: RemoteFailure
  /** Milliseconds. */
  readonly retryAfter?: number
}

const unsettled = (fields: Omit<Unsettled, "_tag">): Unsettled => ({ _tag: "Unsettled", ...fields })

export type FailureTag = RemoteFailure["_tag"]
export type FailureOf<Tag extends FailureTag> = Extract<RemoteFailure, { readonly _tag: Tag }>

export interface RemoteCall<A, Tag extends FailureTag> {
  readonly asked: Asked
  /** Whether it may change something. */
  readonly isCommand: boolean
  readonly send: Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, Scope.Scope>
  /** From the JSON of a reply with status 2xx; however it fails, the reply is none of the service's. */
  readonly read: (json: unknown, response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, unknown>
  /** Of a stream: its body is left to be read as long as this lasts. */
  readonly stream?: Scope.Scope
  /** What it can fail with. `StoreUnavailable` and `StoreDefect` are among them; of a command `OutcomeUnknown`, too. */
  readonly failures: ReadonlyArray<Tag>
}

/** Of a connection that was never made. */
const unmade: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT"
])

/** Causes of causes that are looked at. */
const maxCauses = 8

/** Whether a driver says that nothing was sent. What it does not say is not known. */
const isUnmade = (error: unknown): boolean => {
  let cause = error
  for (let depth = 0; depth < maxCauses && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && unmade.has(cause.code)) return true
    cause = "cause" in cause ? cause.cause : undefined
  }
  return false
}

const lost = (error: HttpClientError.HttpClientError): Unsettled => {
  const isNothingSent = isUnmade(error.reason.cause)
  const reason = isNothingSent ? "no connection to the service" : "the connection to the service was lost"
  return unsettled({ unsure: !isNothingSent, again: true, reason })
}

/** The text of an answer, of a bounded size. */
const textOf = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string, Unsettled> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let bytes = 0
    let text = ""
    return Stream.runForEach(Stream.mapError(response.stream, lost), (chunk): Effect.Effect<void, Unsettled> => {
      bytes += chunk.byteLength
      if (bytes > maxAnswerBytes) return Effect.fail(garbled(`more than ${maxAnswerBytes} bytes`))
      text += decoder.decode(chunk, { stream: true })
      return Effect.void
    }).pipe(Effect.map(() => text + decoder.decode()))
  })

const garbled = (what: string): Unsettled =>
  unsettled({ unsure: true, again: true, unlike: true, reason: `an answer that is none of the service's: ${what}` })

const jsonOf = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

const retryAfterOf = (headers: Readonly<Record<string, string | undefined>>): number | undefined => {
  const given = headers["retry-after"]
  return given !== undefined && /^[0-9]{1,9}$/.test(given) ? Math.min(Number(given), maxRetryAfter) * 1_000 : undefined
}

export const isReplayed = (response: HttpClientResponse.HttpClientResponse): boolean =>
  response.headers["idempotency-replayed"] === "true"

/** Told before anything of a request is looked at. */
const unread: ReadonlySet<ProblemCode> = new Set<ProblemCode>(["NotFound", "MethodNotAllowed", "UnsupportedMediaType"])

const again: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  "StoreUnavailable",
  "MailboxFull",
  "RateLimited",
  "OutcomeUnknown"
])

/** What a command's wallet does not say itself: it may have been told before the key was looked for. */
const beforeWallet: ReadonlySet<string> = new Set(["AccessDenied", "InvalidRequest", "StoreDefect"])

/** In the terms of the call, if there are any: commands have a mailbox for what reads have a rate for. */
const inTermsOf = (
  failure: RemoteFailure | undefined,
  { asked: { walletId }, failures }: Pick<RemoteCall<unknown, FailureTag>, "asked" | "failures">
): RemoteFailure | undefined => {
  if (failure === undefined || failures.includes(failure._tag)) return failure
  if (failure._tag === "RateLimited" && failures.includes("MailboxFull")) {
    return new MailboxFull({ walletId, retryAfter: failure.retryAfter })
  }
  if (failure._tag === "MailboxFull" && failures.includes("RateLimited")) {
    return new RateLimited({ detail: failure.message, retryAfter: failure.retryAfter })
  }
  return undefined
}

const ofProblem = <A, Tag extends FailureTag>(
  call: RemoteCall<A, Tag>,
  { code, detail, failure: read }: ReadProblem,
  retryAfter: number | undefined
): RemoteFailure | Unsettled => {
  const pause = retryAfter === undefined ? {} : { retryAfter }
  if (code === "IdempotencyInProgress") {
    return unsettled({ unsure: true, again: true, reason: "the command is under way", ...pause })
  }
  if (code === "InternalError") {
    return unsettled({ unsure: true, again: call.isCommand, unlike: true, reason: detail, ...pause })
  }
  const failure = inTermsOf(read, call)
  if (failure === undefined) {
    const reason = `the service answers ${code}: ${detail}`
    return unsettled({ unsure: !unread.has(code), again: false, unlike: true, reason, ...pause })
  }
  if (!again.has(code)) return failure
  return unsettled({ unsure: code === "OutcomeUnknown", again: true, reason: detail, failure, ...pause })
}

/** What an answer comes to. */
const settled = Effect.fnUntraced(function* <A, Tag extends FailureTag>(
  call: RemoteCall<A, Tag>,
  response: HttpClientResponse.HttpClientResponse
): Effect.fn.Return<A, RemoteFailure | Unsettled> {
  const { status } = response
  const isTold = status >= 200 && status < 300
  if (isTold && call.stream !== undefined) {
    return yield* Effect.mapError(call.read(undefined, response), () => garbled(`status ${status}`))
  }
  const json = jsonOf(yield* textOf(response))
  if (isTold) {
    return yield* Effect.mapError(call.read(json, response), () => garbled(`status ${status} with another body`))
  }
  const retryAfter = retryAfterOf(response.headers)
  const told = { asked: call.asked, retryAfter: retryAfter ?? defaultRetryAfter, replayed: isReplayed(response) }
  const problem = readProblem(json, told)
  if (problem !== undefined) return yield* Effect.fail(ofProblem(call, problem, retryAfter))
  const mayPass = status >= 500 || status === 408 || status === 429
  return yield* Effect.fail(
    unsettled({
      unsure: true,
      again: mayPass,
      unlike: !mayPass,
      reason: `status ${status}, and no problem of the service's`,
      ...(retryAfter === undefined ? {} : { retryAfter })
    })
  )
})

/** What was not sent, or had no answer. A client that takes an answer for an error hands it on with it. */
const unsent = (error: unknown): HttpClientResponse.HttpClientResponse | RemoteFailure | Unsettled => {
  if (HttpClientError.isHttpClientError(error)) {
    return error.reason._tag === "StatusCodeError" ? error.reason.response : lost(error)
  }
  // The form was looked at before: what is left is what the API has no way to write.
  return new InvalidRequest({ detail: error instanceof Error ? error.message : "the request cannot be written" })
}

/** The response of a request, whatever its status. */
export const respondedTo = <R>(
  send: Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, R>
): Effect.Effect<HttpClientResponse.HttpClientResponse, RemoteFailure | Unsettled, R> =>
  Effect.catch(send, (error) => {
    const met = unsent(error)
    return "_tag" in met ? Effect.fail(met) : Effect.succeed(met)
  })

/** What the caller is told when no more attempts are made. `unsure`: one of them may have had an effect. */
const givenUp = (
  { asked, isCommand }: Pick<RemoteCall<unknown, FailureTag>, "asked" | "isCommand">,
  last: Unsettled,
  unsure: boolean
): RemoteFailure => {
  const { failure, reason, retryAfter = defaultRetryAfter } = last
  if (isCommand && unsure) {
    return failure?._tag === "OutcomeUnknown"
      ? failure
      : new OutcomeUnknown({ walletId: asked.walletId, retryAfter, reason })
  }
  if (failure !== undefined) return failure
  return last.unlike === true
    ? new StoreDefect({ store: "service", reason })
    : new StoreUnavailable({ store: "service", reason, retryAfter })
}

/** Told by its type, which what is made above cannot say. */
const isFailureOf =
  <Tag extends FailureTag>(failures: ReadonlyArray<Tag>) =>
  (failure: RemoteFailure): failure is FailureOf<Tag> =>
    failures.some((tag) => tag === failure._tag)

const isUnsettled = (error: RemoteFailure | Unsettled): error is Unsettled => error._tag === "Unsettled"

/** What is known of a call that is being made. */
class Progress {
  #unsure = false
  #last: Unsettled = unsettled({ unsure: false, again: false, reason: "there was no time for an attempt" })
  #sent = false

  begin(): void {
    this.#sent = true
  }

  end(met: Unsettled): void {
    this.#sent = false
    this.#unsure ||= met.unsure
    this.#last = met
  }

  /** The time is up: an attempt that is being made may have had an effect. */
  stop(millis: number): Unsettled {
    if (this.#sent) this.end(unsettled({ unsure: true, again: false, reason: `no answer within ${millis} ms` }))
    return this.#last
  }

  get unsure(): boolean {
    return this.#unsure
  }

  /** Milliseconds that the service asks to be left alone. */
  get pause(): number {
    return this.#last.retryAfter ?? 0
  }
}

/** With attempts until one settles it. */
export const makeCalls =
  ({ attemptMillis, retry, timeoutMillis }: RemoteSettings) =>
  <A, Tag extends FailureTag>(call: RemoteCall<A, Tag>): Effect.Effect<A, FailureOf<Tag>> =>
    Effect.suspend(() => {
      const progress = new Progress()
      const attempt: Effect.Effect<A, RemoteFailure | Unsettled> = Effect.suspend(() => {
        progress.begin()
        const answer = Effect.flatMap(respondedTo(call.send), (response) => settled(call, response))
        return (call.stream === undefined ? Effect.scoped(answer) : Scope.provide(answer, call.stream)).pipe(
          Effect.timeoutOrElse({
            duration: attemptMillis,
            orElse: () =>
              Effect.fail(unsettled({ unsure: true, again: true, reason: `no answer within ${attemptMillis} ms` }))
          }),
          Effect.tapError((met) => Effect.sync(() => (isUnsettled(met) ? progress.end(met) : undefined)))
        )
      })
      const schedule = Schedule.modifyDelay(retry, ({ duration }) =>
        Effect.sync(() => Duration.max(duration, Duration.millis(progress.pause)))
      )
      return attempt.pipe(
        Effect.retry({ schedule, while: (met) => isUnsettled(met) && met.again }),
        Effect.timeoutOrElse({
          duration: timeoutMillis,
          orElse: () => Effect.suspend(() => Effect.fail(progress.stop(timeoutMillis)))
        }),
        Effect.catch((met) => {
          const { unsure } = progress
          const told = isUnsettled(met)
            ? givenUp(call, met, unsure)
            : unsure && beforeWallet.has(met._tag)
              ? givenUp(call, unsettled({ unsure, again: false, reason: met.message }), unsure)
              : met
          // Nothing else is made above.
          return isFailureOf(call.failures)(told) ? Effect.fail(told) : Effect.die(told)
        })
      )
    })
