/** Holds: placed, changed, captured in parts and to another wallet, released, found again. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  SameWallet,
  WalletNotFound
} from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { assertReplayed, failsWith, failureOf, fromNow, hour, key, openWallet } from "./EngineCalls.ts"
import { uniqueId } from "./SampleWallet.ts"

const placed = contractCase(
  "sets money aside, changes how much and until when, and shows the hold as it was changed last",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const expiresAt = yield* fromNow(hour)
    const input = { walletId, amount: 60n, expiresAt, reference: "room", metadata: { n: "1" }, idempotencyKey: key() }
    const first = yield* engine.placeHold(input)
    const { createdAt, id: holdId, metadata, ...hold } = first.hold
    assert.deepEqual({ ...metadata }, { n: "1" })
    assert.deepEqual(hold, {
      walletId,
      amount: 60n,
      captured: 0n,
      remaining: 60n,
      status: "active",
      expiresAt,
      reference: "room"
    })
    assert.deepEqual([first.wallet.held, first.wallet.available, first.wallet.updatedAt], [60n, 40n, createdAt])
    assertReplayed(first, yield* engine.placeHold(input))
    assert.deepEqual(yield* engine.hold(walletId, holdId), first.hold)
    yield* failsWith(
      engine.changeHold({ walletId, holdId, amount: 101n, idempotencyKey: key() }),
      new InsufficientFunds({ walletId, currency: "EUR", available: 40n, required: 41n })
    )
    const changed = yield* engine.changeHold({ walletId, holdId, amount: 80n, expiresAt: null, idempotencyKey: key() })
    assert.deepEqual([changed.hold.amount, changed.hold.expiresAt, changed.wallet.held], [80n, null, 80n])
    assert.deepEqual(yield* engine.hold(walletId, holdId), changed.hold)
    yield* failsWith(
      engine.placeHold({ walletId, amount: 21n, idempotencyKey: key() }),
      new InsufficientFunds({ walletId, currency: "EUR", available: 20n, required: 21n })
    )
    const past = yield* failureOf(
      engine.placeHold({ walletId, amount: 1n, expiresAt: 1, idempotencyKey: key() }),
      "InvalidRequest"
    )
    assert.match(past.detail, /^expiresAt: /)
    const tried = yield* engine.placeHold({ walletId, amount: 20n, dryRun: true })
    assert.deepEqual([tried.dryRun, tried.hold.id, tried.wallet.available], [true, null, 0n])
  })
)

const captured = contractCase(
  "captures in parts until nothing remains, and lets the rest go with the last",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const { hold } = yield* engine.placeHold({ walletId, amount: 60n, reference: "room", idempotencyKey: key() })
    const holdId = hold.id
    const part = { walletId, holdId, amount: 10n, effectiveAt: 1_000, idempotencyKey: key() }
    const first = yield* engine.captureHold(part)
    assert.deepEqual([first.hold.captured, first.hold.remaining, first.hold.status], [10n, 50n, "active"])
    assert.deepEqual(
      [first.transaction.type, first.transaction.amount, first.transaction.holdId, first.transaction.effectiveAt],
      ["capture", 10n, holdId, 1_000]
    )
    assertReplayed(first, yield* engine.captureHold(part))
    yield* failsWith(
      engine.captureHold({ walletId, holdId, amount: 51n, idempotencyKey: key() }),
      new HoldAmountExceeded({ walletId, holdId, remaining: 50n, amount: 51n })
    )
    const tried = yield* engine.captureHold({ walletId, holdId, dryRun: true })
    assert.deepEqual([tried.dryRun, tried.transaction.amount, tried.hold.remaining], [true, 50n, 0n])
    const last = yield* engine.captureHold({ walletId, holdId, amount: 20n, final: true, idempotencyKey: key() })
    assert.deepEqual([last.hold.captured, last.hold.remaining, last.hold.status], [30n, 0n, "captured"])
    assert.deepEqual([last.wallet.balance, last.wallet.held], [70n, 0n])
    const gone = new HoldClosed({ walletId, holdId })
    yield* failsWith(engine.captureHold({ walletId, holdId, idempotencyKey: key() }), gone)
    yield* failsWith(engine.releaseHold({ walletId, holdId, idempotencyKey: key() }), gone)
    yield* failsWith(engine.changeHold({ walletId, holdId, amount: 1n, idempotencyKey: key() }), gone)
  })
)

const released = contractCase(
  "releases a hold, lists holds by status and page, and knows none that never was",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const place = Effect.map(engine.placeHold({ walletId, amount: 10n, idempotencyKey: key() }), ({ hold }) => hold.id)
    const holdIds = [
      yield* place,
      (yield* engine.placeHold({ walletId, amount: 20n, idempotencyKey: key() })).hold.id,
      (yield* engine.placeHold({ walletId, amount: 30n, idempotencyKey: key() })).hold.id
    ]
    const release = engine.releaseHold({ walletId, holdId: holdIds[0]!, idempotencyKey: key() })
    const first = yield* release
    assert.deepEqual([first.hold.status, first.hold.remaining, first.wallet.held], ["released", 0n, 50n])
    assertReplayed(first, yield* release)
    const page = yield* engine.holds({ walletId, limit: 2, minVersion: first.wallet.version })
    assert.deepEqual(
      page.data.map(({ id }) => id),
      [holdIds[2], holdIds[1]]
    )
    const rest = yield* engine.holds({ walletId, limit: 2, cursor: page.next! })
    assert.deepEqual([rest.data, rest.next], [[first.hold], null])
    const active = yield* engine.holds({ walletId, status: "active", limit: 9 })
    assert.equal(active.data.length, 2)
    const never = uniqueId("hold")
    yield* failsWith(engine.hold(walletId, never), new HoldNotFound({ walletId, holdId: never }))
    yield* failsWith(
      engine.captureHold({ walletId, holdId: never, idempotencyKey: key() }),
      new HoldNotFound({ walletId, holdId: never })
    )
  })
)

const capturedTo = contractCase(
  "captures to another wallet: a capture and a transfer in one",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [walletId, to] = [yield* openWallet(100n), yield* openWallet()]
    const foreign = yield* openWallet(0n, { currency: "USD" })
    const { hold } = yield* engine.placeHold({ walletId, amount: 60n, idempotencyKey: key() })
    const capture = { walletId, holdId: hold.id }
    yield* failsWith(
      engine.captureHoldTo({ ...capture, to: walletId, idempotencyKey: key() }),
      new SameWallet({ walletId })
    )
    yield* failsWith(
      engine.captureHoldTo({ ...capture, to: foreign, idempotencyKey: key() }),
      new CurrencyMismatch({ walletId, expected: "EUR", actual: "USD" })
    )
    const nobody = uniqueId("wallet")
    yield* failsWith(
      engine.captureHoldTo({ ...capture, to: nobody, idempotencyKey: key() }),
      new WalletNotFound({ walletId: nobody })
    )
    const tried = yield* engine.captureHoldTo({ ...capture, to, dryRun: true })
    assert.deepEqual([tried.dryRun, tried.transfer.amount, tried.transaction.id], [true, 60n, null])
    const first = yield* engine.captureHoldTo({ ...capture, to, amount: 25n, idempotencyKey: key() })
    assert.deepEqual([first.transfer.status, first.transfer.to, first.transfer.amount], ["completed", to, 25n])
    assert.deepEqual([first.hold.captured, first.transaction.transferId], [25n, first.transfer.id])
    const ending = yield* engine.beginCaptureHoldTo({ ...capture, to, amount: 5n, final: true, idempotencyKey: key() })
    const last = yield* ending
    assert.deepEqual([last.hold.status, last.hold.captured, last.wallet.held], ["captured", 30n, 0n])
    assert.equal((yield* engine.getWallet({ walletId: to })).balance, 30n)
  })
)

export const engineHoldsContract: ReadonlyArray<ContractCase<WalletEngine>> = [placed, captured, released, capturedTo]
