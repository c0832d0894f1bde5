/** Wallets: opened, changed, frozen, closed. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { IdempotencyKeyReused, VersionMismatch } from "../../actors/EngineError.ts"
import {
  InsufficientFunds,
  InvalidRequest,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { assertReplayed, failsWith, fromNow, hour, key, openWallet } from "./EngineCalls.ts"
import { uniqueId } from "./SampleWallet.ts"

const created = contractCase(
  "opens a wallet as it was asked for, and answers the same for the same key",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const id = uniqueId("wallet")
    const metadata = { kind: "shop", "a key": "a \u{1f40e} value" }
    const input = { id, ownerId: "owner", currency: "EUR", overdraftLimit: 50n, metadata, idempotencyKey: key() }
    const first = yield* engine.createWallet(input)
    const { createdAt, updatedAt, ...wallet } = first.wallet
    assert.equal(updatedAt, createdAt)
    assert.deepEqual(
      { ...wallet, metadata: { ...wallet.metadata } },
      {
        id,
        ownerId: "owner",
        currency: "EUR",
        balance: 0n,
        held: 0n,
        available: 50n,
        overdraftLimit: 50n,
        status: "active",
        freeze: null,
        version: 0,
        metadata
      }
    )
    assert.equal(first.durability.committed, true)
    assert.equal(first.durability.persisted, true)
    assertReplayed(first, yield* engine.createWallet(input))
    assert.deepEqual(yield* engine.getWallet({ walletId: id }), first.wallet)
  })
)

const derived = contractCase(
  "derives a wallet's id from the key where none is given",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const input = { ownerId: "owner", currency: "EUR", idempotencyKey: key() }
    const first = yield* engine.createWallet(input)
    assert.match(first.wallet.id, /^w_[A-Za-z0-9_-]{22}$/)
    assertReplayed(first, yield* engine.createWallet(input))
  })
)

const twice = contractCase(
  "refuses a wallet that is there, another command with a used key, and a wallet that is not there",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const id = uniqueId("wallet")
    const input = { id, ownerId: "owner", currency: "EUR", idempotencyKey: key() }
    yield* engine.createWallet(input)
    yield* failsWith(
      engine.createWallet({ ...input, idempotencyKey: key() }),
      new WalletAlreadyExists({ walletId: id })
    )
    yield* failsWith(
      engine.createWallet({ ...input, currency: "USD" }),
      new IdempotencyKeyReused({ walletId: id, key: input.idempotencyKey })
    )
    const nobody = uniqueId("wallet")
    const missing = new WalletNotFound({ walletId: nobody })
    yield* failsWith(engine.getWallet({ walletId: nobody }), missing)
    yield* failsWith(engine.credit({ walletId: nobody, amount: 1n, idempotencyKey: key() }), missing)
    yield* failsWith(engine.freeze({ walletId: nobody, idempotencyKey: key() }), missing)
    yield* failsWith(engine.events({ walletId: nobody, after: -1, limit: 1 }), missing)
    yield* failsWith(engine.transactions({ walletId: nobody, limit: 1 }), missing)
    yield* failsWith(engine.holds({ walletId: nobody, limit: 1 }), missing)
    yield* failsWith(engine.hold(nobody, "h"), missing)
    yield* failsWith(engine.statement({ walletId: nobody, limit: 1 }), missing)
    yield* failsWith(engine.statementRows({ walletId: nobody }), missing)
    yield* failsWith(engine.walletAt({ walletId: nobody, atVersion: 0 }), missing)
  })
)

const malformedOnes = contractCase(
  "tells all that is wrong with a command, each by its pointer",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    yield* failsWith(
      engine.createWallet({ id: "not an id", ownerId: "owner", currency: "eur", idempotencyKey: "not a key" }),
      new InvalidRequest({
        detail: "idempotencyKey: not 1 to 255 visible ASCII characters",
        errors: [
          { pointer: "/idempotencyKey", detail: "not 1 to 255 visible ASCII characters" },
          { pointer: "/id", detail: "not an id" },
          { pointer: "/currency", detail: "not a currency code" }
        ]
      })
    )
  })
)

const updated = contractCase(
  "changes metadata and overdraft limit, at a version if one is asked for",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(0n, { overdraftLimit: 100n })
    const input = { walletId, metadata: { plan: "b" }, overdraftLimit: 200n, ifVersion: 0, idempotencyKey: key() }
    const first = yield* engine.updateWallet(input)
    assert.deepEqual({ ...first.wallet.metadata }, { plan: "b" })
    assert.equal(first.wallet.overdraftLimit, 200n)
    // Of a known key no version is asked.
    assertReplayed(first, yield* engine.updateWallet(input))
    const { version } = first.wallet
    yield* failsWith(
      engine.updateWallet({ walletId, metadata: {}, ifVersion: version + 1, idempotencyKey: key() }),
      new VersionMismatch({ walletId, version })
    )
    yield* engine.debit({ walletId, amount: 150n, idempotencyKey: key() })
    yield* failsWith(
      engine.updateWallet({ walletId, overdraftLimit: 100n, idempotencyKey: key() }),
      new InsufficientFunds({ walletId, currency: "EUR", available: 50n, required: 100n })
    )
    const emptied = yield* engine.updateWallet({ walletId, metadata: {}, idempotencyKey: key() })
    assert.deepEqual({ ...emptied.wallet.metadata }, {})
  })
)

const frozen = contractCase(
  "freezes by direction and until a time, and says so to what it stops",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const debit = engine.debit({ walletId, amount: 1n, idempotencyKey: key() })
    const credit = engine.credit({ walletId, amount: 1n, idempotencyKey: key() })
    const first = yield* engine.freeze({ walletId, reason: "a look", idempotencyKey: key() })
    assert.equal(first.wallet.status, "frozen")
    assert.deepEqual(first.wallet.freeze, { direction: "debits", reason: "a look", until: null })
    yield* failsWith(debit, new WalletFrozen({ walletId, direction: "debits", until: null }))
    const until = yield* fromNow(hour)
    const second = yield* engine.freeze({ walletId, direction: "all", until, idempotencyKey: key() })
    assert.deepEqual(second.wallet.freeze, { direction: "all", reason: null, until })
    yield* failsWith(credit, new WalletFrozen({ walletId, direction: "all", until }))
    assert.deepEqual((yield* engine.getWallet({ walletId })).freeze, { direction: "all", reason: null, until })
    const { wallet } = yield* engine.unfreeze({ walletId, reason: "done", idempotencyKey: key() })
    assert.deepEqual([wallet.status, wallet.freeze], ["active", null])
    yield* debit
    yield* credit
  })
)

const closed = contractCase(
  "closes an empty wallet for good, and no other",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(70n)
    const { hold } = yield* engine.placeHold({ walletId, amount: 30n, idempotencyKey: key() })
    const close = engine.close({ walletId, reason: "moved", idempotencyKey: key() })
    yield* failsWith(close, new WalletNotEmpty({ walletId, balance: 70n, openHolds: 1, transfersInFlight: 0 }))
    yield* engine.releaseHold({ walletId, holdId: hold.id, idempotencyKey: key() })
    yield* engine.debit({ walletId, amount: 70n, idempotencyKey: key() })
    const first = yield* close
    assert.equal(first.wallet.status, "closed")
    assertReplayed(first, yield* close)
    yield* failsWith(engine.credit({ walletId, amount: 1n, idempotencyKey: key() }), new WalletClosed({ walletId }))
  })
)

export const engineWalletsContract: ReadonlyArray<ContractCase<WalletEngine>> = [
  created,
  derived,
  twice,
  malformedOnes,
  updated,
  frozen,
  closed
]
