/** Credits, debits and their refunds: once per key, whoever asks at once, and tried without being done. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { IdempotencyKeyReused, TransactionNotFound, VersionMismatch } from "../../actors/EngineError.ts"
import { InsufficientFunds, InvalidRequest, NotRefundable, RefundExceeded } from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { assertReplayed, failsWith, failureOf, fromNow, hour, key, openWallet } from "./EngineCalls.ts"
import { uniqueId } from "./SampleWallet.ts"

const moved = contractCase(
  "moves money, and answers the same for the same key, whatever has happened since",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    const amount = 10n ** 29n + 1n
    const effectiveAt = 86_400_000
    const metadata = { order: "17" }
    const input = { walletId, amount, reference: "order 17", metadata, effectiveAt, idempotencyKey: key() }
    const first = yield* engine.credit(input)
    const { createdAt, id, ...transaction } = first.transaction
    assert.deepEqual(
      { ...transaction, metadata: { ...transaction.metadata } },
      {
        walletId,
        type: "credit",
        amount,
        balanceAfter: amount,
        currency: "EUR",
        reference: "order 17",
        metadata,
        holdId: null,
        transferId: null,
        refundOf: null,
        refunded: 0n,
        version: 1,
        effectiveAt
      }
    )
    assert.equal(first.wallet.updatedAt, createdAt)
    const { transaction: debited } = yield* engine.debit({ walletId, amount: 1n, idempotencyKey: key() })
    assert.deepEqual([debited.type, debited.balanceAfter, debited.version], ["debit", amount - 1n, 2])
    assertReplayed(first, yield* engine.credit(input))
    assert.deepEqual(yield* engine.transaction(id), first.transaction)
  })
)

const refused = contractCase(
  "refuses what there are no funds for; a refused command's key is not used up",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const debit = engine.debit({ walletId, amount: 150n, idempotencyKey: key() })
    const failure = yield* failureOf(debit, "InsufficientFunds")
    assert.equal(failure.shortage, 50n)
    yield* failsWith(debit, new InsufficientFunds({ walletId, currency: "EUR", available: 100n, required: 150n }))
    yield* engine.credit({ walletId, amount: 50n, idempotencyKey: key() })
    assert.equal((yield* debit).transaction.balanceAfter, 0n)
    const { wallet } = yield* engine.debit({ walletId, amount: 5n, force: true, idempotencyKey: key() })
    assert.deepEqual([wallet.balance, wallet.available], [-5n, -5n])
  })
)

const versions = contractCase(
  "acts at the version that is asked for only, and not twice whatever version is asked then",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const credit = { walletId, amount: 1n, idempotencyKey: key() }
    yield* failsWith(engine.credit({ ...credit, ifVersion: 7 }), new VersionMismatch({ walletId, version: 1 }))
    const first = yield* engine.credit({ ...credit, ifVersion: 1 })
    assertReplayed(first, yield* engine.credit({ ...credit, ifVersion: 1 }))
    assertReplayed(first, yield* engine.credit({ ...credit, ifVersion: 90 }))
  })
)

const reused = contractCase(
  "refuses a used key for another command of the wallet, and takes it for another wallet",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [walletId, other] = [yield* openWallet(100n), yield* openWallet(100n)]
    const idempotencyKey = key()
    yield* engine.debit({ walletId, amount: 1n, idempotencyKey })
    const known = new IdempotencyKeyReused({ walletId, key: idempotencyKey })
    yield* failsWith(engine.debit({ walletId, amount: 2n, idempotencyKey }), known)
    yield* failsWith(engine.credit({ walletId, amount: 1n, idempotencyKey }), known)
    assert.equal((yield* engine.debit({ walletId: other, amount: 1n, idempotencyKey })).replayed, false)
  })
)

/** Callers of one key at once. */
const callers = 24

const concurrent = contractCase(
  "has one effect for a key that many send at once, and tells all of them the same",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(1_000n)
    const debit = engine.debit({ walletId, amount: 7n, idempotencyKey: key() })
    const answers = yield* Effect.forEach(
      Array.from({ length: callers }),
      () => Effect.retry(debit, { while: ({ _tag }) => _tag === "OutcomeUnknown", times: 9 }),
      { concurrency: "unbounded" }
    )
    assert.equal(new Set(answers.map(({ transaction }) => transaction.id)).size, 1)
    assert.equal(answers.filter(({ replayed }) => !replayed).length <= 1, true)
    for (const { wallet } of answers) assert.deepEqual(wallet, answers[0]!.wallet)
    assert.equal((yield* engine.getWallet({ walletId })).balance, 993n)
  })
)

const race = contractCase(
  "lets no more out than there is, however many ask at once",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(10n)
    const results = yield* Effect.forEach(
      Array.from({ length: callers }, key),
      (idempotencyKey) => Effect.result(engine.debit({ walletId, amount: 1n, idempotencyKey })),
      { concurrency: "unbounded" }
    )
    assert.equal(results.filter(({ _tag }) => _tag === "Success").length, 10)
    for (const result of results) if (result._tag === "Failure") assert.equal(result.failure._tag, "InsufficientFunds")
    const { balance, version } = yield* engine.getWallet({ walletId })
    assert.deepEqual([balance, version], [0n, 11])
  })
)

const nothing = { committed: false, persisted: false, indexed: false }

const dryRuns = contractCase(
  "tries a command without doing it, and without its key if there is one",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet(100n)
    const tried = yield* engine.debit({ walletId, amount: 40n, dryRun: true })
    assert.equal(tried.dryRun, true)
    assert.deepEqual(
      [tried.transaction.id, tried.transaction.balanceAfter, tried.wallet.balance, tried.replayed, tried.durability],
      [null, 60n, 60n, false, nothing]
    )
    yield* failsWith(
      engine.debit({ walletId, amount: 140n, dryRun: true }),
      new InsufficientFunds({ walletId, currency: "EUR", available: 100n, required: 140n })
    )
    assert.equal((yield* engine.getWallet({ walletId })).version, 1)
    const idempotencyKey = key()
    const again = yield* engine.debit({ walletId, amount: 40n, dryRun: true, idempotencyKey })
    assert.equal(again.dryRun, true)
    const first = yield* engine.debit({ walletId, amount: 40n, idempotencyKey })
    assert.equal(first.dryRun, undefined)
    const known = yield* engine.debit({ walletId, amount: 40n, dryRun: true, idempotencyKey })
    assert.deepEqual([known.dryRun, known.replayed, known.transaction], [undefined, true, first.transaction])
    const wallet = yield* engine.createWallet({ ownerId: "owner", currency: "EUR", dryRun: true })
    assert.deepEqual([wallet.wallet.id, wallet.wallet.balance], [null, 0n])
  })
)

const awaited = contractCase(
  "says what is durable as of the answer",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    for (const wanted of ["committed", "persisted", "indexed"] as const) {
      const { durability } = yield* engine.credit({ walletId, amount: 1n, await: wanted, idempotencyKey: key() })
      assert.equal(durability.committed, true)
      assert.equal(durability[wanted], true)
    }
  })
)

const wrong = contractCase(
  "refuses a malformed movement, and one that counts in the future",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const walletId = yield* openWallet()
    for (const amount of [0n, -1n, 10n ** 30n]) {
      const failure = yield* failureOf(engine.credit({ walletId, amount, idempotencyKey: key() }), "InvalidRequest")
      assert.deepEqual(
        failure.errors.map(({ pointer }) => pointer),
        ["/amount"]
      )
    }
    const effectiveAt = yield* fromNow(hour)
    const failure = yield* failureOf(
      engine.credit({ walletId, amount: 1n, effectiveAt, idempotencyKey: key() }),
      "InvalidRequest"
    )
    assert.match(failure.detail, /^effectiveAt: /)
    yield* failsWith(
      engine.credit({ walletId, amount: 1n, ifVersion: -1, idempotencyKey: key() }),
      new InvalidRequest({ detail: "ifVersion: not a version" })
    )
  })
)

const refunds = contractCase(
  "refunds a transaction in parts and no more than there was, by whichever wallet has made it or by the one that is named",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [walletId, other] = [yield* openWallet(100n), yield* openWallet()]
    const { transaction } = yield* engine.debit({ walletId, amount: 60n, idempotencyKey: key() })
    const transactionId = transaction.id
    const part = { transactionId, amount: 20n, reference: "back", idempotencyKey: key() }
    const first = yield* engine.refundTransaction(part)
    assert.deepEqual(
      [first.transaction.type, first.transaction.amount, first.transaction.refundOf, first.wallet.balance],
      ["refund_in", 20n, transactionId, 60n]
    )
    assertReplayed(first, yield* engine.refundTransaction(part))
    assert.equal((yield* engine.transaction(transactionId)).refunded, 20n)
    yield* failsWith(
      engine.refundTransaction({ transactionId, amount: 41n, idempotencyKey: key() }),
      new RefundExceeded({ walletId, refundable: 40n })
    )
    yield* failsWith(
      engine.refundTransaction({ transactionId, walletId: other, idempotencyKey: key() }),
      new TransactionNotFound({ transactionId })
    )
    yield* failsWith(
      engine.refundTransaction({ transactionId, walletId, ifVersion: 1, idempotencyKey: key() }),
      new VersionMismatch({ walletId, version: 3 })
    )
    const rest = yield* engine.refundTransaction({ transactionId, walletId, idempotencyKey: key() })
    assert.deepEqual([rest.transaction.amount, rest.wallet.balance], [40n, 100n])
    yield* failsWith(
      engine.refundTransaction({ transactionId: rest.transaction.id, idempotencyKey: key() }),
      new NotRefundable({ id: rest.transaction.id })
    )
    const nothing = uniqueId("transaction")
    yield* failsWith(
      engine.refundTransaction({ transactionId: nothing, idempotencyKey: key() }),
      new TransactionNotFound({ transactionId: nothing })
    )
    yield* failsWith(engine.transaction(nothing), new TransactionNotFound({ transactionId: nothing }))
  })
)

export const engineMovementsContract: ReadonlyArray<ContractCase<WalletEngine>> = [
  moved,
  refused,
  versions,
  reused,
  concurrent,
  race,
  dryRuns,
  awaited,
  wrong,
  refunds
]
