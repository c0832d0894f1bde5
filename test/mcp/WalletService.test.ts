/** What the tools ask of the service, and how often. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { Caller, type ServiceRequest, WalletService } from "../../src/mcp/WalletService.ts"

interface Sent {
  readonly url: string
  readonly key: string | undefined
  readonly authorization: string | undefined
}

const credit: ServiceRequest = {
  method: "POST",
  path: "/v1/wallets/a/credit",
  body: { amount: "5" },
  idempotencyKey: "k"
}

/** Asks, in front of a service that answers these one after the other; nothing: its connection breaks. */
const asking = (request: ServiceRequest, answers: ReadonlyArray<Response | undefined>) =>
  Effect.gen(function* () {
    const sent: Array<Sent> = []
    const client = HttpClient.make((asked, url) => {
      const answer = answers[sent.length]
      const { authorization, "idempotency-key": key } = asked.headers
      sent.push({ url: url.href, key, authorization })
      return answer === undefined
        ? Effect.fail(
            new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request: asked }) })
          )
        : Effect.succeed(HttpClientResponse.fromWeb(asked, answer))
    })
    const layer = WalletService.layer("http://wallets.example").pipe(
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    )
    const asked = yield* Effect.result(Effect.flatMap(WalletService, ({ ask }) => ask(request))).pipe(
      Effect.provide(layer),
      Effect.provideService(Caller, { apiKey: Redacted.make("secret") }),
      Effect.forkChild
    )
    yield* TestClock.adjust("1 minute")
    return { answer: yield* Fiber.join(asked), sent }
  })

const problem = (code: string, retryable: boolean, status = 503) => Response.json({ code, retryable }, { status })

describe("a command of an agent", () => {
  it.effect("is asked for again by its key while the service says that this helps, and its answer is handed on", () =>
    Effect.gen(function* () {
      const replayed = Response.json({ wallet: { id: "a" } }, { headers: { "idempotency-replayed": "true" } })
      const { answer, sent } = yield* asking(credit, [problem("OutcomeUnknown", true), undefined, replayed])
      assert.deepInclude(answer, { success: { wallet: { id: "a" }, replayed: true } })
      const once = { url: "http://wallets.example/v1/wallets/a/credit", key: "k", authorization: "Bearer secret" }
      assert.deepStrictEqual(sent, [once, once, once])
    })
  )

  it.effect("is given up after four times, and says that it may have happened", () =>
    Effect.gen(function* () {
      const { answer, sent } = yield* asking(credit, [])
      assert.strictEqual(sent.length, 4)
      assert.strictEqual(answer._tag, "Failure")
      if (answer._tag === "Failure") {
        assert.deepInclude(answer.failure, { code: "ServiceUnreachable", retryable: true })
        assert.include(String(answer.failure["detail"]), "same idempotencyKey")
      }
    })
  )

  it.effect("that is rejected is rejected once; what is no answer of a wallet service is told as that", () =>
    Effect.gen(function* () {
      const rejected = yield* asking(credit, [problem("WalletFrozen", false, 422)])
      assert.deepInclude(rejected.answer, { failure: { code: "WalletFrozen", retryable: false } })
      assert.strictEqual(rejected.sent.length, 1)
      for (const answer of [
        new Response("<html>", { status: 200 }),
        Response.json([1]),
        new Response("", { status: 404 })
      ]) {
        const { answer: told, sent } = yield* asking(credit, [answer])
        assert.strictEqual(sent.length, 1)
        assert.strictEqual(told._tag === "Failure" && told.failure["code"], "AnswerUnreadable")
      }
    })
  )
})

it.effect("a query has what was given, and nothing else", () =>
  Effect.gen(function* () {
    const query = { limit: 2, cursor: undefined, type: "credit" }
    const { sent } = yield* asking({ method: "GET", path: "/v1/wallets/a/transactions", query }, [Response.json({})])
    assert.deepStrictEqual(sent[0], {
      url: "http://wallets.example/v1/wallets/a/transactions?limit=2&type=credit",
      key: undefined,
      authorization: "Bearer secret"
    })
  })
)
