/** Every error of the engine over HTTP: the same class, with the same fields. An engine that fails on purpose stands behind. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Errors from "../../src/actors/EngineError.ts"
import * as Rejection from "../../src/domain/Rejection.ts"
import { type EngineService, WalletEngine } from "../../src/engine/WalletEngine.ts"
import { commandFailures } from "../../src/remote/RemoteCommand.ts"
import * as Stores from "../../src/stores/StoreError.ts"
import * as Server from "../http/TestServer.ts"

const [walletId, holdId, transferId, transactionId, leg] = ["w", "h", "t", "x", 2]
const whole = { retryAfter: 3_000 }

const alike: ReadonlyArray<Errors.CommandError> = [
  new Rejection.WalletNotFound({ walletId: "another" }),
  new Rejection.WalletNotFound({ walletId, leg }),
  new Rejection.WalletAlreadyExists({ walletId }),
  new Rejection.WalletClosed({ walletId, leg }),
  new Rejection.WalletFrozen({ walletId, direction: "credits", until: null }),
  new Rejection.WalletFrozen({ walletId, direction: "all", until: 1_234_567_890_123, leg }),
  new Rejection.WalletNotEmpty({ walletId, balance: -3n, openHolds: 1, transfersInFlight: 2 }),
  new Rejection.CurrencyMismatch({ walletId, expected: "EUR", actual: "USD", leg }),
  new Rejection.SameWallet({ walletId }),
  new Rejection.HoldNotFound({ walletId, holdId }),
  new Rejection.HoldClosed({ walletId, holdId }),
  new Rejection.HoldAmountExceeded({ walletId, holdId, remaining: 1n, amount: 10n ** 29n }),
  new Rejection.TransferNotFound({ transferId }),
  new Rejection.InsufficientFunds({ walletId, currency: "EUR", available: -1n, required: 10n ** 29n, leg }),
  new Rejection.LimitExceeded({ walletId, limit: "stateBytes", current: 9n, size: 11n, bound: 10n }),
  new Rejection.LimitExceeded({ walletId, limit: "balance", current: 9n, size: 11n, bound: 10n ** 36n, leg }),
  new Rejection.RefundExceeded({ walletId, refundable: 3n, leg }),
  new Rejection.NotRefundable({ id: transactionId, transferId }),
  new Rejection.NotRefundable({ id: transactionId }),
  new Rejection.PolicyRejected({ walletId, policy: "velocity", reason: "too \u{1f40e} fast", leg }),
  new Rejection.KeyLimitExceeded({ walletId, limit: "perDay", bound: 10n, remaining: 3n, leg }),
  new Rejection.InvalidRequest({ detail: "amount: no", errors: [{ pointer: "/amount", detail: "no" }] }),
  new Errors.IdempotencyKeyReused({ walletId, key: "k" }),
  new Errors.VersionMismatch({ walletId, version: 7 }),
  new Errors.PolicyDefect({ walletId, policy: "velocity" }),
  new Errors.MailboxFull({ walletId, ...whole }),
  new Errors.OutcomeUnknown({ walletId, ...whole }),
  new Stores.OperationRefused({ reason: "limit of the bank" }),
  new Errors.OperationReversed({ walletId, reason: "by a rule", replayed: false }),
  new Errors.OperationReversed({ walletId, reason: "by a rule", replayed: true }),
  ...(["log", "persistence", "readModel", "keys", "leases", "service"] as const).map(
    (store) => new Stores.StoreUnavailable({ store, reason: "a store that this needs is not available now", ...whole })
  )
]

/** What a service tells nobody. */
const internal: ReadonlyArray<Errors.CommandError> = [
  new Stores.StoreDefect({ store: "log", reason: "secret table" }),
  new Stores.EventUnreadable({ walletId, version: 1, type: "T", reason: "secret" })
]

/** What the engine behind the service fails with. */
let failure: Error = new Error("none yet")

const failing = Layer.effect(
  WalletEngine,
  Effect.map(WalletEngine, (engine) => {
    // Each method fails with what its test has chosen, of which the types know nothing.
    const fail = () => Effect.suspend(() => Effect.fail(failure)) as Effect.Effect<never, never>
    return WalletEngine.of({
      ...engine,
      debit: fail as EngineService["debit"],
      transfer: fail as EngineService["transfer"],
      transaction: fail,
      transactions: fail,
      searchWallets: fail,
      refundTransaction: fail as EngineService["refundTransaction"],
      openFeed: fail,
      feedHead: fail(),
      cluster: fail()
    })
  })
).pipe(Layer.provide(WalletEngine.layerMemory))

const remote = Layer.unwrap(
  Effect.map(Server.TestServer, ({ secrets, url }) =>
    WalletEngine.layerRemote({ url, apiKey: secrets.admin, retry: Schedule.recurs(0) })
  )
).pipe(Layer.provide(Server.layerWith(failing)))

/** Asked of an engine whose service fails with that. */
const asked = <A, E extends Error>(
  expected: Error,
  ask: (engine: EngineService) => Effect.Effect<A, E>,
  told = expected
) =>
  Effect.gen(function* () {
    failure = expected
    const met = yield* Effect.flip(ask(yield* WalletEngine))
    assert.strictEqual(met.constructor, told.constructor, `${expected.name}: ${met.name} ${met.message}`)
    assert.deepStrictEqual({ ...met }, { ...told }, expected.name)
    assert.strictEqual(met.message, told.message)
  })

const debit = (engine: EngineService) => engine.debit({ walletId, amount: 1n, idempotencyKey: "k" })
const send = (engine: EngineService) => engine.transfer({ from: walletId, to: "v", amount: 1n, idempotencyKey: "k" })

layer(remote, { excludeTestServices: true })("the errors of a remote engine", (it) => {
  it.effect("arrive as they are, with all their fields", () =>
    Effect.gen(function* () {
      for (const error of alike) yield* asked(error, debit)
      const told = new Set([...alike, ...internal].map(({ _tag }) => _tag))
      assert.deepStrictEqual(
        commandFailures.filter((tag) => !told.has(tag)),
        // That of the service's own door.
        ["AccessDenied"]
      )
    })
  )

  it.effect("of transfers, refunds and reads, too", () =>
    Effect.gen(function* () {
      const reversed = { transferId, reason: "WalletClosed" }
      yield* asked(new Errors.TransferReversed({ ...reversed, replayed: true, leg: 1 }), send)
      yield* asked(new Errors.TransferReversed({ ...reversed, replayed: false }), send)
      yield* asked(new Errors.TransactionNotFound({ transactionId }), (engine) =>
        engine.refundTransaction({ transactionId: "other", idempotencyKey: "k" })
      )
      yield* asked(new Errors.TransactionNotFound({ transactionId }), (engine) => engine.transaction("other"))
      yield* asked(new Errors.RateLimited({ detail: "too many reads", ...whole }), (engine) => engine.transaction("x"))
      yield* asked(new Errors.VersionNotReached({ walletId, minVersion: 9, ...whole }), (engine) =>
        engine.transactions({ walletId, limit: 1 })
      )
      yield* asked(new Stores.QueryTooWide({ detail: "narrow it" }), (engine) => engine.searchWallets({ limit: 1 }))
      yield* asked(new Stores.PositionGone({ position: 5n, head: 3n }), (engine) => Stream.runDrain(engine.feed(5n)))
      const away = new Stores.StoreUnavailable({ store: "leases", reason: "", ...whole })
      const told = new Stores.StoreUnavailable({ ...away, reason: "a store that this needs is not available now" })
      yield* asked(away, (engine) => engine.feedHead, told)
    })
  )

  it.effect("of the service's own are not told apart: a command's outcome is unknown, a read has met a defect", () =>
    Effect.gen(function* () {
      const reason = "the request could not be served; it has been logged"
      for (const error of internal) {
        yield* asked(error, debit, new Errors.OutcomeUnknown({ walletId, retryAfter: 1_000, reason }))
        yield* asked(error, (engine) => engine.transaction("x"), new Stores.StoreDefect({ store: "service", reason }))
      }
    })
  )

  it.effect("that a command cannot have are none: a rate is a full mailbox, and any other an outcome unknown", () =>
    Effect.gen(function* () {
      const slow = new Errors.RateLimited({ detail: "slow", ...whole })
      yield* asked(slow, debit, new Errors.MailboxFull({ walletId, ...whole }))
      const foreign = new Errors.TransferReversed({ transferId, reason: "no", replayed: false })
      const reason = "the service answers TransferReversed: transfer t was reversed: no"
      yield* asked(foreign, debit, new Errors.OutcomeUnknown({ walletId, retryAfter: 1_000, reason }))
    })
  )

  it.effect("tell what a limit of the caller's own, which no service takes, comes to: nothing is passed over", () =>
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      const limit = { keyId: "k", perOperation: 5n, perDay: null }
      const met = yield* Effect.flip(engine.debit({ walletId, amount: 1n, limit, idempotencyKey: "k" }))
      assert.deepStrictEqual(
        { ...met },
        {
          ...new Rejection.InvalidRequest({
            detail: "limit: a remote engine's commands have the limits of its API key"
          })
        }
      )
    })
  )
})
