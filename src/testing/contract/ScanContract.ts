/**
 * Many wallets read at once, and their rows replaced: for stores where an event is one row
 * for log and view.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { EventStore, type ScannedEvent } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { lastId, type WalletRange } from "../../stores/WalletRows.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { viewOf } from "./Observations.ts"
import { credit, placeHold, SampleWallet, send, uniqueId } from "./SampleWallet.ts"

/** Wallets side by side, in the order of their ids, behind `after`. */
const someWallets = Effect.gen(function* () {
  const log = yield* EventStore
  const prefix = uniqueId("scan")
  const wallets = ["a", "b", "c"].map((name) => new SampleWallet({ id: `${prefix}-${name}` }))
  for (const wallet of wallets) {
    const commit = wallet.commit(
      wallet.creation(),
      credit(10n),
      placeHold(uniqueId("hold"), 1n, wallet.time + 1),
      placeHold(uniqueId("hold"), 2n, wallet.time + 1),
      send(uniqueId("t"), "elsewhere", 1n)
    )
    yield* log.append([commit])
  }
  const range: WalletRange = { after: prefix, to: `${prefix}-${lastId}` }
  return { wallets, range }
})

const scansEvents = contractCase(
  "scans the events of many wallets in the order of wallet and version, page by page",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { range, wallets } = yield* someWallets
    const found: Array<ScannedEvent> = []
    let after = { walletId: range.after, version: 0 }
    while (true) {
      const { events, flaws } = yield* log.scan!({ after, to: range.to, limit: 4 })
      assert.deepEqual(flaws, [])
      if (events.length === 0) break
      found.push(...events)
      after = events.at(-1)!.recorded
    }
    const expected = yield* Effect.forEach(wallets, ({ id }) => log.read(id, { after: -1, limit: 9 }))
    assert.deepEqual(
      found.map(({ recorded }) => recorded),
      expected.flat()
    )
    assert.ok(found.every(({ currency }) => currency === "EUR"))
  })
)

const scansRows = contractCase(
  "scans what is derived of many wallets, in parts where there are more rows than asked for",
  Effect.gen(function* () {
    const { rowScan } = yield* Persistence
    const { range, wallets } = yield* someWallets
    const all = yield* rowScan!.rows(range, 100)
    assert.deepEqual(all.flaws, [])
    assert.equal(all.to, range.to)
    assert.deepEqual(
      all.wallets.map(({ wallet }) => wallet!.view),
      wallets.map(({ wallet }) => viewOf(wallet!))
    )
    assert.ok(all.wallets.every(({ holds, transfers, whole }) => whole && holds.length === 2 && transfers.length === 1))
    const part = yield* rowScan!.rows(range, 3)
    assert.deepEqual(part.wallets, all.wallets.slice(0, part.wallets.length))
    assert.ok(part.to! < range.to! && part.wallets.length > 0)
    const giant = yield* rowScan!.rows({ after: range.after, to: range.to }, 1)
    const walked = giant.wallets.length > 0 ? giant : yield* rowScan!.rows({ after: giant.to!, to: range.to }, 1)
    assert.deepEqual(
      walked.wallets.map(({ walletId, whole }) => [walletId, whole]),
      [[wallets[0]!.id, false]]
    )
    assert.equal(yield* rowScan!.walletBehind(range.after, 2), wallets[1]!.id)
  })
)

const replacesRows = contractCase(
  "replaces what is derived of wallets, but of those to which the log has more",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const { range, wallets } = yield* someWallets
    const { heads, replace } = persistence.rowReplacement!
    const ids = wallets.map(({ id }) => id)
    assert.deepEqual(
      (yield* heads(range.after, 3)).map(({ last, persisted, walletId }) => [walletId, last, persisted]),
      ids.map((id) => [id, 4, 4])
    )
    const before = yield* persistence.rowScan!.rows(range, 100)
    const { events } = yield* log.scan!({ after: { walletId: range.after, version: 0 }, to: range.to, limit: 100 })
    const derived = wallets.map(({ id, wallet }, index) => {
      const own = events.filter(({ recorded }) => recorded.walletId === id)
      const at = (version: number) => own[version]!
      const { holds, transfers } = before.wallets[index]!
      const placed = own.flatMap(({ recorded: { event, version } }) =>
        event._tag === "HoldPlaced" ? [{ version, hold: holds.find((hold) => hold.id === event.holdId)! }] : []
      )
      const sent = transfers.map((transfer) => ({ version: 4, position: at(4).position, transfer }))
      return { wallet: wallet!, position: at(0).position, holds: placed, transfers: sent, legs: [] }
    })
    yield* persistence.erase(ids[0]!)
    yield* log.append([wallets[2]!.commit(credit(1n))])
    assert.deepEqual([...(yield* replace(derived))], [ids[2]])
    const after = yield* persistence.rowScan!.rows(range, 100)
    assert.deepEqual(after.flaws, [])
    assert.deepEqual(after.wallets.slice(0, 2), before.wallets.slice(0, 2))
    assert.equal(after.wallets[2]!.wallet!.view.version, 5)
  })
)

export const scanContract: ReadonlyArray<ContractCase<EventStore | Persistence>> = [
  scansEvents,
  scansRows,
  replacesRows
]
