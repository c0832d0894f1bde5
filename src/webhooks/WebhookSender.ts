/**
 * Sends one request to a receiver and tells what became of it. Redirects are not followed: where
 * one leads nobody has allowed. An answer counts from its head on; of its body no more is read than
 * keeps the connection usable.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import * as Https from "node:https"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { checkAddress, publicLookup, refusedLiteral, type WebhookRefused } from "./Addresses.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"

export interface SentRequest {
  /** Checked for its form. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface SendOutcome {
  /** `null`: there was no answer. */
  readonly status: number | null
  /** `null`: it was acknowledged. */
  readonly error: string | null
  /** What the receiver asks to be waited for, ms; `0`: it does not. */
  readonly retryAfterMillis: number
}

export interface WebhookSenderOptions {
  readonly bounds: WebhookBounds
  /** Also to addresses that are not public: this machine's, and those of the networks it is in. */
  readonly allowPrivate: boolean
}

export class WebhookSender extends Context.Service<
  WebhookSender,
  {
    /** Never fails: what goes wrong is the outcome. Interrupted, the request is broken off. */
    readonly send: (request: SentRequest) => Effect.Effect<SendOutcome>
    /** Whether an endpoint may be there. */
    readonly check: (url: string) => Effect.Effect<void, WebhookRefused>
    /** How long a request keeps the thread of late, ms. */
    readonly costMillis: () => number
  }
>()("effect-wallet/webhooks/WebhookSender") {
  static readonly layer = (options: WebhookSenderOptions): Layer.Layer<WebhookSender> =>
    Layer.effect(WebhookSender, make(options))
}

/** Idle connections of one receiver that are kept, as many as several endpoints there use at once; … */
const idleConnections = 64
/** … and how long, ms: shorter than servers keep theirs. */
const idleMillis = 4_000

/** A part of a request's cost is measured, that of its start; the answer's is about twice as much. */
const costFactor = 3

/** Characters of an error that are kept. */
const maxErrorLength = 300

/** Longest pause that a receiver may ask for, s. */
const maxRetryAfter = 3_600

const failed = (error: string, status: number | null = null, retryAfterMillis = 0): SendOutcome => ({
  status,
  error,
  retryAfterMillis
})

const retryAfterOf = (response: Http.IncomingMessage): number => {
  const text = response.headers["retry-after"] ?? ""
  return /^[0-9]{1,6}$/.test(text) ? Math.min(maxRetryAfter, Number(text)) * 1_000 : 0
}

const outcomeOf = (response: Http.IncomingMessage): SendOutcome => {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return { status, error: null, retryAfterMillis: 0 }
  const more = status >= 300 && status < 400 ? ": redirects are not followed" : ""
  return failed(`HTTP ${status}${more}`, status, retryAfterOf(response))
}

/** One line, of what an error says: it is stored, and shown. */
export const lineOf = (message: string): string => message.replace(/[^\x20-\x7e]+/g, " ").slice(0, maxErrorLength)

const reasonOf = (error: NodeJS.ErrnoException): string =>
  lineOf(error.message === "" ? (error.code ?? "no connection") : error.message)

interface Answer {
  /** What its head says; the body may be on its way yet. */
  head: SendOutcome | undefined
}

const userAgent = "effect-wallet"

const makeAgents = (allowPrivate: boolean) => {
  const options: Https.AgentOptions = {
    keepAlive: true,
    maxFreeSockets: idleConnections,
    timeout: idleMillis,
    scheduling: "lifo",
    ...(allowPrivate ? {} : { lookup: publicLookup })
  }
  return { http: new Http.Agent(options), https: new Https.Agent(options) }
}

/** Reads on until the end, so that the connection can be used again, or so far as is worth it. */
const readBody = (response: Http.IncomingMessage, maxBytes: number, done: () => void): void => {
  let bytes = 0
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxBytes) response.destroy()
  })
  // One that breaks off in its body is an answer all the same.
  response.on("error", () => response.destroy())
  response.on("close", done)
}

const make = Effect.fnUntraced(function* ({ allowPrivate, bounds }: WebhookSenderOptions) {
  const clock = yield* Clock.Clock
  const agents = yield* Effect.acquireRelease(
    Effect.sync(() => makeAgents(allowPrivate)),
    ({ http, https }) =>
      Effect.sync(() => {
        http.destroy()
        https.destroy()
      })
  )
  let cost = 0

  const start = (url: URL, { body, headers }: SentRequest): Http.ClientRequest => {
    const startedAt = elapsedMillis(clock)
    const secure = url.protocol === "https:"
    const options = {
      method: "POST",
      agent: secure ? agents.https : agents.http,
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": userAgent
      }
    }
    const request = secure ? Https.request(url, options) : Http.request(url, options)
    request.end(body)
    cost += (costFactor * (elapsedMillis(clock) - startedAt) - cost) / 16
    return request
  }

  /** `isAgain`: a connection that the receiver has closed just as it was used is no answer of its. */
  const attempt = (url: URL, sent: SentRequest, answer: Answer, isAgain: boolean): Effect.Effect<SendOutcome> =>
    Effect.callback<SendOutcome>((resume) => {
      const request = start(url, sent)
      request.on("response", (response) => {
        const outcome = (answer.head = outcomeOf(response))
        readBody(response, bounds.answerBytes, () => resume(Effect.succeed(outcome)))
      })
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (answer.head !== undefined) return resume(Effect.succeed(answer.head))
        const isStale = request.reusedSocket && !isAgain && error.code === "ECONNRESET"
        resume(isStale ? attempt(url, sent, answer, true) : Effect.succeed(failed(reasonOf(error))))
      })
      return Effect.sync(() => request.destroy())
    })

  const send = (sent: SentRequest): Effect.Effect<SendOutcome> =>
    Effect.suspend(() => {
      const url = new URL(sent.url)
      const refused = allowPrivate ? undefined : refusedLiteral(url)
      if (refused !== undefined) return Effect.succeed(failed(refused))
      const answer: Answer = { head: undefined }
      return Effect.timeoutOrElse(attempt(url, sent, answer, false), {
        duration: bounds.answerMillis,
        orElse: () => Effect.succeed(answer.head ?? failed(`no answer within ${bounds.answerMillis / 1_000} s`))
      })
    })

  return WebhookSender.of({
    send,
    check: (url) => (allowPrivate ? Effect.void : checkAddress(new URL(url))),
    costMillis: () => cost
  })
})
