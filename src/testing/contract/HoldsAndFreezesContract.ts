/**
 * Holds that change, captures to other wallets and freezes, as rows tell them. The cases append to the log
 * and read the rows at once, as those of transfers do.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { viewOf } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import {
  capture,
  credit,
  placeHold,
  receive,
  release,
  returnFunds,
  type SampleCommand,
  SampleWallet,
  settle,
  uniqueId
} from "./SampleWallet.ts"

type Stores = EventStore | Persistence

const change = (
  holdId: string,
  amount: bigint | null,
  expiry: { readonly at: number | null } | null
): SampleCommand => ({
  _tag: "ChangeHold",
  holdId,
  amount,
  expiry
})

const captureTo = (
  holdId: string,
  transferId: string,
  to: string,
  amount: bigint | null,
  final = false
): SampleCommand => ({
  _tag: "CaptureHoldTo",
  holdId,
  transferId,
  to,
  amount,
  final,
  currency: "EUR",
  destination: null,
  effectiveAt: null
})

const freeze = (
  direction: "debits" | "credits" | "all",
  until: number | null,
  reason: string | null = null
): SampleCommand => ({ _tag: "Freeze", direction, until, reason })

/** What the stores say of the wallet is what it has come to: its row, its holds, its events. */
const assertTold = Effect.fnUntraced(function* (sample: SampleWallet, holdIds: ReadonlyArray<string> = []) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
  const events = yield* log.read(sample.id, { after: -1, limit: 100 })
  assert.equal(events.at(-1)?.version, sample.version)
  for (const holdId of holdIds) {
    const hold = yield* persistence.hold(sample.id, holdId)
    assert.equal(hold?.walletId, sample.id)
  }
})

const changes = contractCase(
  "shows a hold as it was changed last, and finds it due by its new end",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const [inOne, later, closed] = [uniqueId("hold"), uniqueId("hold"), uniqueId("hold")]
    sample.time = 2_000
    const at = sample.time
    yield* log.append([
      sample.commit(
        sample.creation(),
        credit(1_000n),
        placeHold(inOne, 10n, at + 10),
        placeHold(later, 20n, at + 20),
        placeHold(closed, 30n, at + 30),
        change(inOne, 15n, { at: at + 40 })
      )
    ])
    yield* log.append([
      sample.commit(capture(later, 5n), change(later, null, { at: at + 50 }), change(later, 45n, null))
    ])
    yield* log.append([sample.commit(capture(closed, 7n))])
    yield* log.append([sample.commit(change(closed, 7n, { at: null }))])
    const shown = Effect.fnUntraced(function* (holdId: string) {
      const { amount, captured, expiresAt, remaining, status } = (yield* persistence.hold(sample.id, holdId))!
      return [amount, captured, remaining, status, expiresAt]
    })
    assert.deepEqual(yield* shown(inOne), [15n, 0n, 15n, "active", at + 40])
    assert.deepEqual(yield* shown(later), [45n, 5n, 40n, "active", at + 50])
    assert.deepEqual(yield* shown(closed), [7n, 7n, 0n, "captured", null])
    const due = (now: number) =>
      Effect.map(persistence.dueHolds({ now, limit: 10_000 }), (found) =>
        found.filter(({ walletId }) => walletId === sample.id).map(({ expiresAt, holdId }) => [holdId, expiresAt - at])
      )
    assert.deepEqual(yield* due(at + 39), [])
    assert.deepEqual(yield* due(at + 60), [
      [inOne, 40],
      [later, 50]
    ])
    yield* log.append([sample.commit(change(later, null, { at: null }))])
    assert.deepEqual(yield* due(at + 60), [[inOne, 40]])
    yield* assertTold(sample, [inOne, later, closed])
  })
)

const captures = contractCase(
  "shows a capture to a wallet as a capture and as a transfer, which ends as every other",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [source, destination] = [new SampleWallet(), new SampleWallet()]
    const holdId = uniqueId("hold")
    const [taken, returned] = [uniqueId("transfer"), uniqueId("transfer")]
    yield* log.append([source.commit(source.creation(), credit(1_000n), placeHold(holdId, 100n)), destination.create()])
    const hold = Effect.map(persistence.hold(source.id, holdId), (row) => [row?.captured, row?.remaining, row?.status])
    yield* log.append([source.commit(captureTo(holdId, taken, destination.id, 30n))])
    assert.deepEqual(yield* hold, [30n, 70n, "active"])
    const pending = yield* persistence.transfer(taken)
    assert.deepEqual(
      [pending?.status, pending?.from, pending?.to, pending?.amount],
      ["pending", source.id, destination.id, 30n]
    )
    const [transaction] = (yield* persistence.transactions({ walletId: source.id, limit: 1 })).data
    assert.deepEqual(
      [transaction?.type, transaction?.amount, transaction?.holdId, transaction?.transferId],
      ["capture", 30n, holdId, taken]
    )
    const captured = yield* persistence.transactions({ walletId: source.id, type: "capture", limit: 9 })
    assert.deepEqual(captured.data, [transaction])
    const sent = yield* persistence.transactions({ walletId: source.id, type: "transfer_out", limit: 9 })
    assert.deepEqual(sent.data, [])
    yield* log.append([destination.commit(receive(taken, source.id, 30n))])
    assert.equal((yield* persistence.transfer(taken))?.status, "completed")
    yield* log.append([source.commit(settle(taken))])
    const completed = (yield* persistence.transfer(taken))?.legs[0]
    assert.equal(completed?.sentTransactionId, transaction?.id)
    assert.notEqual(completed?.receivedTransactionId, null)
    // All that is left and more is captured, and comes back.
    yield* log.append([source.commit(captureTo(holdId, returned, destination.id, 50n, true))])
    assert.deepEqual(yield* hold, [80n, 0n, "captured"])
    assert.equal(source.wallet!.held, 20n)
    yield* assertTold(source)
    yield* log.append([source.commit(returnFunds(returned, "no"))])
    assert.deepEqual(yield* hold, [30n, 70n, "active"])
    assert.equal((yield* persistence.transfer(returned))?.status, "reversed")
    const [back] = (yield* persistence.transactions({ walletId: source.id, limit: 1 })).data
    assert.deepEqual([back?.type, back?.amount, back?.holdId, back?.transferId], ["reversal", 50n, holdId, returned])
    yield* log.append([source.commit(captureTo(holdId, uniqueId("transfer"), destination.id, 20n), release(holdId))])
    assert.deepEqual(yield* hold, [50n, 0n, "captured"])
    yield* assertTold(source, [holdId])
    yield* assertTold(destination)
  })
)

const freezes = contractCase(
  "shows a freeze with direction, reason and end, and finds the ends that are over",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [first, second, third] = [new SampleWallet(), new SampleWallet(), new SampleWallet()]
    // Before all times of other cases, so that these are the longest overdue.
    for (const sample of [first, second, third]) sample.time = 500
    yield* log.append([
      first.commit(first.creation(), freeze("all", 530, 'why, "not"?')),
      second.create(),
      third.commit(third.creation(), freeze("debits", null))
    ])
    yield* log.append([second.commit(freeze("credits", 520))])
    for (const sample of [first, second, third]) yield* assertTold(sample)
    const own = new Set([first.id, second.id, third.id])
    const due = (now: number, limit = 10_000) =>
      Effect.map(persistence.dueFreezes({ now, limit }), (found) => found.filter(({ walletId }) => own.has(walletId)))
    assert.deepEqual(yield* due(519), [])
    assert.deepEqual(yield* due(530), [
      { walletId: second.id, until: 520 },
      { walletId: first.id, until: 530 }
    ])
    assert.deepEqual(yield* due(530, 1), [{ walletId: second.id, until: 520 }])
    second.time = 520
    yield* log.append([
      second.commit({ _tag: "ExpireFreeze", until: 520 }),
      first.commit(freeze("debits", 540)),
      third.commit({ _tag: "Unfreeze", reason: null })
    ])
    for (const sample of [first, second, third]) yield* assertTold(sample)
    assert.deepEqual(yield* due(530), [])
    assert.deepEqual(yield* due(540), [{ walletId: first.id, until: 540 }])
    yield* log.append([first.commit({ _tag: "Close", reason: null })])
    yield* assertTold(first)
    assert.deepEqual(yield* due(540), [])
  })
)

const forced = contractCase(
  "takes a forced debit below zero, and says so in the log",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    yield* log.append([sample.commit(sample.creation(), credit(5n))])
    const debit = { amount: 8n, reference: "r", metadata: { a: "b" }, effectiveAt: null, force: true }
    yield* log.append([sample.commit({ _tag: "Debit", ...debit }, credit(1n))])
    yield* assertTold(sample)
    const { force: _, ...noted } = debit
    const expected = { _tag: "WalletDebited", ...noted, forced: true, balanceAfter: -3n, heldAfter: 0n }
    assert.deepEqual((yield* log.read(sample.id, { after: 1, limit: 1 }))[0]?.event, expected)
  })
)

export const holdsAndFreezesContract: ReadonlyArray<ContractCase<Stores>> = [changes, captures, freezes, forced]
