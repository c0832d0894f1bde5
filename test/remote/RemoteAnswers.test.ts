/** What a remote engine makes of answers: hostile ones, and those that say that the command is under way. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type EngineService, WalletEngine } from "../../src/engine/WalletEngine.ts"
import { RemoteMisconfigured, type RemoteOptions } from "../../src/remote/RemoteOptions.ts"
import { problem, type ScriptedAnswer, startScripted } from "./ScriptedService.ts"

const apiKey = "key"

const remote = (url: string, retry: RemoteOptions["retry"] = Schedule.recurs(1)) =>
  Effect.map(Layer.build(WalletEngine.layerRemote({ url, apiKey, retry })), Context.get(WalletEngine))

const credit = { walletId: "w", amount: 1n, idempotencyKey: "k" }

/** A call of each kind, and what it may fail with where the answer means nothing. */
const calls: ReadonlyArray<
  readonly [name: string, call: (engine: EngineService) => Effect.Effect<unknown, unknown>, failures: RegExp]
> = [
  ["credit", (engine) => engine.credit(credit), /^OutcomeUnknown$/],
  [
    "create",
    (engine) => engine.createWallet({ ownerId: "o", currency: "EUR", idempotencyKey: "k" }),
    /^OutcomeUnknown$/
  ],
  ["hold", (engine) => engine.placeHold(credit), /^OutcomeUnknown$/],
  ["capture", (engine) => engine.captureHoldTo({ ...credit, holdId: "h", to: "v" }), /^OutcomeUnknown$/],
  [
    "transfer",
    (engine) => engine.transfer({ from: "w", to: "v", amount: 1n, idempotencyKey: "k" }),
    /^OutcomeUnknown$/
  ],
  ["refund", (engine) => engine.refundTransaction({ transactionId: "x", idempotencyKey: "k" }), /^OutcomeUnknown$/],
  ["try", (engine) => engine.debit({ walletId: "w", amount: 1n, dryRun: true }), /^Store(?:Defect|Unavailable)$/],
  ["wallet", (engine) => engine.getWallet({ walletId: "w" }), /^Store(?:Defect|Unavailable)$/],
  ["events", (engine) => engine.events({ walletId: "w", after: -1, limit: 9 }), /^Store(?:Defect|Unavailable)$/],
  ["statement", (engine) => engine.statement({ walletId: "w", limit: 9 }), /^Store(?:Defect|Unavailable)$/],
  ["search", (engine) => engine.searchTransfers({ limit: 9 }), /^Store(?:Defect|Unavailable)$/],
  ["head", (engine) => engine.feedHead, /^Store(?:Defect|Unavailable)$/],
  ["cluster", (engine) => engine.cluster, /^Store(?:Defect|Unavailable)$/],
  ["feed", (engine) => Stream.runDrain(engine.feed(0n)), /^Store(?:Defect|Unavailable)$/]
]

const ok = (body: string, headers: Readonly<Record<string, string>> = {}): ScriptedAnswer => ({
  status: 200,
  body,
  headers
})

const dates = { createdAt: "2026-01-01T00:00:00.000Z", updatedAt: "2026-01-01T00:00:00.000Z" }
const wallet = {
  id: "another",
  ownerId: "o",
  currency: "EUR",
  balance: "1",
  held: "0",
  available: "1",
  overdraftLimit: "0",
  status: "active",
  freeze: null,
  version: 1,
  metadata: {},
  ...dates
}

const hostile: Readonly<Record<string, ScriptedAnswer | "cut">> = {
  "nothing at all": ok(""),
  "no JSON": ok("{"),
  HTML: ok("<html><body>welcome</body></html>", { "content-type": "text/html" }),
  null: ok("null"),
  "another object": ok("{}"),
  "a list": ok("[]"),
  "a number of 400 digits": ok(`{"wallet":{"balance":"${"9".repeat(400)}"}}`),
  "a trial that nobody has asked for": ok(`{"dryRun":true}`),
  "bytes that are no text": ok("\u0000\uffff", { "content-encoding": "gzip" }),
  "depths of lists": ok("[".repeat(100_000)),
  "a prototype": ok(`{"__proto__":{"wallet":{}},"data":{"__proto__":[]}}`),
  "no content": { status: 204, body: "" },
  "a way elsewhere": { status: 302, body: "", headers: { location: "http://127.0.0.1:1/" } },
  "a page that is not there": { status: 404, body: "not found" },
  "a request that is too large for a proxy": { status: 413, body: "<html>" },
  "a proxy's trouble": { status: 502, body: "<html>" },
  "an unknown problem": problem(422, "SomethingNew"),
  "a problem by an inherited name": problem(422, "constructor"),
  "a problem without its fields": problem(422, "InsufficientFunds"),
  "a problem with fields of other types": problem(422, "WalletFrozen", { walletId: 1, direction: "up", until: "soon" }),
  "a problem of other endpoints": problem(409, "LastAdminKey"),
  "a problem without a text": { status: 422, body: `{"code":"WalletClosed","detail":7}` },
  "a time to wait that never ends": { ...problem(500, "InternalError"), headers: { "retry-after": "x1e9" } },
  "a connection that breaks": "cut"
}

describe("a remote engine whose service answers nonsense", () => {
  for (const [what, answer] of Object.entries(hostile)) {
    it.live(`fails by its types: ${what}`, () =>
      Effect.gen(function* () {
        const service = yield* startScripted
        const engine = yield* remote(service.url)
        for (const [name, call, failures] of calls) {
          yield* service.answers(answer)
          const exit = yield* Effect.exit(call(engine))
          assert.isTrue(Exit.isFailure(exit), name)
          if (!Exit.isFailure(exit)) continue
          const failure = Cause.findErrorOption(exit.cause)
          assert.strictEqual(failure._tag, "Some", `${name}: ${Cause.pretty(exit.cause)}`)
          if (failure._tag === "Some") assert.match((failure.value as { readonly _tag: string })._tag, failures, name)
        }
        yield* service.answers(answer)
        assert.isFalse((yield* engine.health).ready)
      }).pipe(Effect.scoped)
    )
  }

  it.live("takes no answer about another wallet for its own", () =>
    Effect.gen(function* () {
      const service = yield* startScripted
      const engine = yield* remote(service.url)
      const durability = { committed: true, persisted: true, indexed: true }
      yield* service.answers({ status: 200, body: JSON.stringify({ wallet, durability }) })
      const close = yield* Effect.flip(engine.close({ walletId: "w", idempotencyKey: "k" }))
      assert.strictEqual(close._tag, "OutcomeUnknown")
      const own = yield* engine.close({ walletId: "another", idempotencyKey: "k" })
      assert.deepStrictEqual([own.wallet.balance, own.replayed], [1n, false])
    }).pipe(Effect.scoped)
  )
})

describe("a remote engine's attempts", () => {
  it.live("are one request again and again, with one key, until it is settled", () =>
    Effect.gen(function* () {
      const service = yield* startScripted
      const engine = yield* remote(service.url, Schedule.recurs(9))
      yield* service.answers(
        "cut",
        problem(409, "IdempotencyInProgress"),
        problem(503, "OutcomeUnknown"),
        problem(503, "StoreUnavailable"),
        { status: 504, body: "" },
        problem(422, "WalletClosed", { walletId: "w" })
      )
      const failure = yield* Effect.flip(engine.credit({ ...credit, metadata: { a: "b" } }))
      assert.strictEqual(failure._tag, "WalletClosed")
      assert.strictEqual(service.requests.length, 6)
      for (const request of service.requests) assert.deepStrictEqual(request, service.requests[0])
      assert.strictEqual(service.requests[0]?.key, "k")
    }).pipe(Effect.scoped)
  )

  it.live(
    "leave a command unknown that one of them may have done, whatever else is told before its wallet is asked",
    () =>
      Effect.gen(function* () {
        const service = yield* startScripted
        const engine = yield* remote(service.url, Schedule.recurs(2))
        const away = problem(503, "StoreUnavailable", { store: "log" })
        yield* service.answers("cut", away)
        assert.strictEqual((yield* Effect.flip(engine.credit(credit)))._tag, "OutcomeUnknown")
        yield* service.answers("cut", problem(401, "Unauthorized"))
        assert.strictEqual((yield* Effect.flip(engine.credit(credit)))._tag, "OutcomeUnknown")
        yield* service.answers(away)
        assert.deepInclude(yield* Effect.flip(engine.credit(credit)), { _tag: "StoreUnavailable", store: "log" })
        assert.strictEqual(service.requests.length, 3)
        yield* service.answers(problem(401, "Unauthorized"))
        assert.strictEqual((yield* Effect.flip(engine.credit(credit)))._tag, "AccessDenied")
        assert.strictEqual(service.requests.length, 1)
      }).pipe(Effect.scoped)
  )

  it.live("tell a command that stays under way as unknown: pending, to be asked for with its key", () =>
    Effect.gen(function* () {
      const service = yield* startScripted
      const engine = yield* remote(service.url)
      yield* service.answers({ ...problem(409, "IdempotencyInProgress"), headers: { "retry-after": "1" } })
      const failure = yield* Effect.flip(engine.credit(credit))
      assert.deepInclude(failure, { _tag: "OutcomeUnknown", walletId: "w", reason: "the command is under way" })
      assert.strictEqual(service.requests.length, 2)
    }).pipe(Effect.scoped)
  )
})

describe("a remote engine's options", () => {
  const wrong: ReadonlyArray<readonly [Partial<RemoteOptions>, RemoteMisconfigured["option"]]> = [
    [{ url: "127.0.0.1:3000" }, "url"],
    [{ url: "ftp://127.0.0.1" }, "url"],
    [{ url: "http://user:secret@127.0.0.1" }, "url"],
    [{ url: "http://127.0.0.1/?a=b" }, "url"],
    [{ apiKey: "" }, "apiKey"],
    [{ apiKey: "two\nlines" }, "apiKey"],
    [{ timeout: 0 }, "timeout"],
    [{ attemptTimeout: "Infinity" }, "attemptTimeout"]
  ]
  it.live("that no service can be asked with stop the layer", () =>
    Effect.gen(function* () {
      for (const [options, option] of wrong) {
        const engine = WalletEngine.layerRemote({ url: "http://127.0.0.1:1", apiKey, ...options })
        const failure = yield* Effect.flip(Layer.build(engine))
        assert.instanceOf(failure, RemoteMisconfigured)
        assert.strictEqual(failure.option, option)
        assert.notInclude(failure.message, "secret")
      }
    }).pipe(Effect.scoped)
  )
})
