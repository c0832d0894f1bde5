import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Circuit from "../../../src/stores/elastic/Circuit.ts"
import { QueryTooWide, StoreDefect, StoreUnavailable } from "../../../src/stores/StoreError.ts"

const away = new StoreUnavailable({ store: "readModel", reason: "connect ECONNREFUSED", retryAfter: 500 })

/** A server that is told what it does, and counts what it is asked. */
class Server {
  calls = 0
  signs = 0
  answer: Effect.Effect<string, StoreUnavailable> = Effect.succeed("found")
  readonly call = Effect.suspend(() => {
    this.calls++
    return this.answer
  })
  readonly sign = Effect.suspend(() => {
    this.signs++
    return this.answer
  })
}

const failures = (circuit: Circuit.Circuit, server: Server, count: number) =>
  Effect.repeat(Effect.flip(circuit.run(server.call)), { times: count - 1 })

it.effect("answers at once after three failures in a row, with the cause and when to come again", () =>
  Effect.gen(function* () {
    const server = new Server()
    const circuit = yield* Circuit.make("http://search:9200", server.sign)
    assert.strictEqual(yield* circuit.run(server.call), "found")
    server.answer = Effect.fail(away)
    yield* failures(circuit, server, 3)
    const asked = server.calls + server.signs
    const refused = yield* Effect.flip(circuit.run(server.call))
    assert.strictEqual(server.calls + server.signs, asked)
    assert.deepStrictEqual([refused._tag, refused.reason, refused.retryAfter], [away._tag, away.reason, 1_000])
    yield* TestClock.adjust("400 millis")
    assert.strictEqual((yield* Effect.flip(circuit.run(server.call))).retryAfter, 600)
  })
)

it.effect("is closed again by the first search that is answered", () =>
  Effect.gen(function* () {
    const server = new Server()
    const circuit = yield* Circuit.make("http://search:9200", server.sign)
    server.answer = Effect.fail(away)
    yield* failures(circuit, server, 4)
    yield* TestClock.adjust("1 second")
    yield* Effect.flip(circuit.run(server.call))
    server.answer = Effect.succeed("back")
    assert.strictEqual((yield* Effect.flip(circuit.run(server.call)))._tag, "StoreUnavailable")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* circuit.run(server.call), "back")
    const signs = server.signs
    assert.strictEqual(yield* circuit.run(server.call), "back")
    assert.strictEqual(server.signs, signs)
  })
)

it.effect("waits 700 ms for a sign of life where the last call found none, and lets a slow search be slow", () =>
  Effect.gen(function* () {
    const server = new Server()
    const circuit = yield* Circuit.make("http://search:9200", server.sign)
    server.answer = Effect.fail(away)
    yield* failures(circuit, server, 1)
    server.answer = Effect.never
    const hung = yield* Effect.forkChild(Effect.flip(circuit.run(server.call)), { startImmediately: true })
    yield* TestClock.adjust("700 millis")
    const error = yield* Fiber.join(hung)
    assert.strictEqual(error.reason, "http://search:9200: no answer within 700 ms")
    server.answer = Effect.succeed("late")
    const slow = yield* Effect.forkChild(circuit.run(Effect.delay(server.call, "3 seconds")), {
      startImmediately: true
    })
    yield* TestClock.adjust("3 seconds")
    assert.strictEqual(yield* Fiber.join(slow), "late")
  })
)

it.effect("takes an error that is an answer for an answer", () =>
  Effect.gen(function* () {
    const server = new Server()
    const circuit = yield* Circuit.make("http://search:9200", server.sign)
    const answers: ReadonlyArray<Effect.Effect<never, QueryTooWide | StoreDefect>> = [
      Effect.fail(new QueryTooWide({ detail: "narrow it" })),
      Effect.fail(new StoreDefect({ store: "readModel", reason: "no such index" }))
    ]
    for (const answer of [...answers, ...answers])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(circuit.run(answer))))
    assert.strictEqual(yield* circuit.run(server.call), "found")
    assert.strictEqual(server.signs, 0)
  })
)

it.effect("is not held open by a clock that is set back", () =>
  Effect.gen(function* () {
    const server = new Server()
    const circuit = yield* Circuit.make("http://search:9200", server.sign)
    server.answer = Effect.fail(away)
    yield* TestClock.setTime(86_400_000)
    yield* failures(circuit, server, 3)
    yield* TestClock.setTime(3_600_000)
    server.answer = Effect.succeed("back")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* circuit.run(server.call), "back")
  })
)
