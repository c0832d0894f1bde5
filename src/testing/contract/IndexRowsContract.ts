/** What Persistence has for a search index: rows as they are now, and the documents that the index has refused. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { EventStore } from "../../stores/EventStore.ts"
import { type DeadLetter, Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { viewOf } from "./Observations.ts"
import { capture, credit, placeHold, SampleWallet, send, settle, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | Persistence

const rows = contractCase(
  "answers wallets, holds and transfers as they are now, and leaves out what is not there",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [one, other] = [new SampleWallet(), new SampleWallet()]
    const [hold, transfer] = [uniqueId("hold"), uniqueId("transfer")]
    yield* log.append([one.commit(one.creation(), credit(100n), placeHold(hold, 10n)), other.create()])
    yield* log.append([one.keyed(["c:the key", send(transfer, other.id, 7n)], ["e:settled", settle(transfer)])])
    yield* log.append([one.commit(capture(hold, 4n))])
    const asked = {
      wallets: [one.id, uniqueId("nobody"), other.id],
      holds: [
        { walletId: one.id, id: hold },
        { walletId: other.id, id: hold }
      ],
      transfers: [
        { walletId: one.id, id: transfer },
        { walletId: other.id, id: transfer }
      ]
    }
    const found = yield* persistence.indexRows(asked)
    const views = new Map(found.wallets.map(({ view }) => [view.id, view]))
    assert.equal(found.wallets.length, 2)
    assert.deepEqual(views.get(one.id), viewOf(one.wallet!))
    assert.deepEqual(views.get(other.id), viewOf(other.wallet!))
    assert.deepEqual(found.holds, [yield* persistence.hold(one.id, hold)])
    const [sent] = yield* persistence.scanTransfers(one.id, { after: "", limit: 10 })
    assert.deepEqual(
      found.transfers.map(({ key, transfer }) => ({ key, transfer })),
      [{ key: "the key", transfer: sent }]
    )
    assert.deepEqual(found.refused, [])
    const [first, second] = yield* positionsOf([one.id, other.id])
    assert.notEqual(first, second)
    yield* log.append([one.commit(credit(1n))])
    assert.deepEqual(yield* positionsOf([one.id, other.id]), [first, second], "positions stay")
    assert.deepEqual(yield* persistence.indexRows({ wallets: [], holds: [], transfers: [] }), {
      wallets: [],
      holds: [],
      transfers: [],
      refused: []
    })
  })
)

const positionsOf = (walletIds: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const { wallets } = yield* persistence.indexRows({ wallets: walletIds, holds: [], transfers: [] })
    const positions = new Map(wallets.map(({ position, view }) => [view.id, position]))
    return walletIds.map((id) => positions.get(id))
  })

const ownKey = contractCase(
  "tells no key of the engine's own",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [one, other] = [new SampleWallet(), new SampleWallet()]
    const transfer = uniqueId("transfer")
    yield* log.append([
      one.keyed(["c:a", one.creation()], ["c:b", credit(9n)], ["e:own", send(transfer, other.id, 7n)])
    ])
    const transfers = [{ walletId: one.id, id: transfer }]
    const found = yield* persistence.indexRows({ wallets: [], holds: [], transfers })
    assert.deepEqual(
      found.transfers.map(({ key }) => key),
      [null]
    )
  })
)

const letterOf = (id: string, version: number, reason = 'the term "🐎" is\0 too long'): DeadLetter => ({
  kind: "wallet",
  id,
  walletId: id,
  version,
  reason,
  time: 1_700_000_000_123
})

const ofThese = (ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const found: Array<DeadLetter> = []
    for (;;) {
      const page = yield* persistence.deadLetters({ after: found.at(-1), limit: 2 })
      found.push(...page)
      if (page.length < 2) return found.filter(({ id }) => ids.includes(id))
    }
  })

const letters = contractCase(
  "keeps each refused document once, as of its latest refusal, until it is removed",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const ids = [uniqueId("a"), uniqueId("b"), uniqueId("c")].sort()
    const [a, b, c] = ids as [string, string, string]
    const before = yield* persistence.countDeadLetters
    yield* persistence.saveDeadLetters([])
    yield* persistence.saveDeadLetters([letterOf(c, 1), letterOf(a, 1), letterOf(a, 2), letterOf(b, 5)])
    yield* persistence.saveDeadLetters([letterOf(c, 4, "later"), letterOf(b, 3, "earlier")])
    assert.equal(yield* persistence.countDeadLetters, before + 3)
    yield* persistence.saveDeadLetters([{ ...letterOf(`${b}.9`, 9), walletId: b }])
    assert.deepEqual(
      [...(yield* persistence.refusedVersions([c, b, uniqueId("none")]))].sort(),
      [
        [b, 9],
        [c, 4]
      ].sort()
    )
    assert.equal((yield* persistence.refusedVersions([])).size, 0)
    yield* persistence.removeDeadLetters([letterOf(`${b}.9`, 9)])
    const shown = (yield* ofThese(ids)).map(({ id, reason, version }) => [id, version, reason.replace("\0", "\uFFFD")])
    const reason = letterOf("", 0).reason.replace("\0", "\uFFFD")
    assert.deepEqual(shown, [
      [a, 2, reason],
      [b, 5, reason],
      [c, 4, "later"]
    ])
    assert.equal((yield* ofThese([c]))[0]?.time, 1_700_000_000_123)
    yield* persistence.removeDeadLetters([])
    yield* persistence.removeDeadLetters([letterOf(a, 2), letterOf(b, 4), { ...letterOf(c, 9), kind: "hold" }])
    assert.deepEqual(
      (yield* ofThese(ids)).map(({ id }) => id),
      [b, c]
    )
    yield* persistence.removeDeadLetters([letterOf(b, 9), letterOf(c, 9)])
    assert.equal(yield* persistence.countDeadLetters, before)
  })
)

/** For a Persistence that is written with the log, or at once after it (`writtenThrough`). */
export const indexRowsContract: ReadonlyArray<ContractCase<Stores>> = [rows, ownKey, letters]

const refused = contractCase(
  "names the refused events of these wallets",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const [sample, gone] = [new SampleWallet(), new SampleWallet()]
    yield* persistence.write([sample.create()])
    const why = { reason: "no", time: 0 }
    yield* persistence.refuse(sample.commit(credit(1n), credit(2n)), why)
    yield* persistence.refuse(gone.create(), why)
    const wallets = [sample.id, gone.id]
    const found = yield* persistence.indexRows({ wallets, holds: [], transfers: [] })
    assert.deepEqual(
      found.wallets.map(({ view }) => [view.id, view.version]),
      [[sample.id, 2]]
    )
    const places = found.refused.map(({ version, walletId }) => `${walletId} ${version}`)
    assert.deepEqual(places.sort(), [`${sample.id} 1`, `${sample.id} 2`, `${gone.id} 0`].sort())
  })
)

/** For a Persistence behind a log that lives elsewhere. */
export const refusedRowsContract: ReadonlyArray<ContractCase<Persistence>> = [refused]
