import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { jsonLogger, scrubbed } from "../../src/cli/Logging.ts"
import { makeScrub } from "../../src/cli/Secrets.ts"

const scrub = makeScrub({ secrets: [Redacted.make("api-key-1234")], urls: [] })

/** The lines that `effect` logs. */
const logged = Effect.fnUntraced(function* (effect: Effect.Effect<void>) {
  const lines: Array<string> = []
  const layer = Logger.layer([Logger.map(jsonLogger(scrub), (line) => void lines.push(line))])
  yield* Effect.provide(effect, layer)
  return lines
})

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

const inRequest = (headers: Record<string, string>) =>
  Effect.provide(
    Layer.succeed(
      HttpServerRequest.HttpServerRequest,
      HttpServerRequest.fromWeb(new Request("http://localhost/v1/wallets/alice?minVersion=3", { headers }))
    )
  )

describe("a line of the log", () => {
  it.effect("is one JSON document that names the wallet in a field of its own", () =>
    Effect.gen(function* () {
      const [line = "", ...others] = yield* logged(
        Effect.logWarning("two\nlines").pipe(Effect.annotateLogs({ walletId: "alice" }))
      )
      assert.isEmpty(others)
      assert.notInclude(line, "\n")
      assert.deepInclude(JSON.parse(line), {
        level: "WARN",
        message: "two\nlines",
        annotations: { walletId: "alice" }
      })
    })
  )

  it.effect("names the request it was written for, by its route and by the sender's id", () =>
    Effect.gen(function* () {
      const log = Effect.logError("failed")
      const lines = [
        ...(yield* logged(log.pipe(inRequest({ "x-request-id": "order-7/3", traceparent })))),
        ...(yield* logged(log.pipe(inRequest({ traceparent })))),
        ...(yield* logged(log.pipe(inRequest({ "x-request-id": "not an id" }))))
      ]
      const route = { method: "GET", route: "/v1/wallets/{id}" }
      assert.deepStrictEqual(
        lines.map((line) => JSON.parse(line).request),
        [{ ...route, id: "order-7/3" }, { ...route, id: "4bf92f3577b34da6a3ce929d0e0e4736" }, route]
      )
    })
  )

  it.effect("has no secret, in a message, a field or a cause", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.logError("of api-key-1234", { key: "api-key-1234" }, new Error("postgres://u:hush@db failed")).pipe(
          Effect.annotateLogs({ header: "Bearer something" })
        )
      )
      const text = lines.join("\n")
      for (const hidden of ["api-key-1234", "hush", "something"]) assert.notInclude(text, hidden)
      assert.include(text, "postgres://<redacted>@db failed")
    })
  )

  it.effect("has no secret for people either, and is left as it is without one", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const inner = Logger.make(({ cause, message }) => void seen.push(message, Cause.pretty(cause)))
      const given = { fine: true }
      yield* Effect.gen(function* () {
        yield* Effect.logError("fine", given, Cause.fail(new Error("a cause")))
        yield* Effect.logError(
          "of api-key-1234",
          { key: ["api-key-1234"] },
          Cause.die(new Error("redis://:hush@cache"))
        )
      }).pipe(Effect.provide(Logger.layer([scrubbed(inner, scrub)])))
      const [message, cause, ...others] = seen
      assert.deepStrictEqual(message, ["fine", given])
      assert.include(cause, "a cause")
      const text = inspect(others)
      assert.include(text, "redis://<redacted>@cache")
      for (const hidden of ["api-key-1234", "hush"]) assert.notInclude(text, hidden)
    })
  )
})
