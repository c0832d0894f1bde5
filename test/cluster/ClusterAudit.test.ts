/** The auditor finds what it is there for. */
import { assert, describe, it } from "vitest"
import { partitionOf } from "../../src/domain/Partition.ts"
import type { SentCommand, Trail } from "../faults/ClientView.ts"
import { disordered, unclaimed } from "./ClusterAudit.ts"

const trail = (given: Partial<Trail>): Trail => ({
  caller: 1,
  turn: 1,
  place: 0,
  askedAt: 0,
  settledAt: 1,
  round: 1,
  refused: false,
  shared: false,
  ...given
})

const command = (key: string, given: Partial<Trail>, kind: SentCommand["kind"] = "credit"): SentCommand => ({
  key,
  kind,
  walletId: "w",
  path: "",
  body: {},
  trail: trail(given),
  view: { _tag: "Open" },
  unanswered: 0,
  overlapped: false
})

const found = (first: SentCommand, second: SentCommand, versions: readonly [number, number]) =>
  disordered(
    [second, first],
    new Map([
      [`w c:${first.key}`, versions[0]],
      [`w c:${second.key}`, versions[1]]
    ])
  ).found.length

describe("the order of a caller", () => {
  it("is kept when what was asked for first is first in the log", () => {
    assert.strictEqual(found(command("a", { turn: 1 }), command("b", { turn: 2 }), [1, 2]), 0)
    assert.strictEqual(found(command("a", { place: 0 }), command("b", { place: 1 }), [1, 2]), 0)
  })

  it("is broken when it is not, between requests and within one", () => {
    assert.strictEqual(found(command("a", { turn: 1 }), command("b", { turn: 2 }), [2, 1]), 1)
    assert.strictEqual(found(command("a", { place: 0 }), command("b", { place: 1 }), [2, 1]), 1)
    assert.strictEqual(found(command("a", { round: 2 }), command("b", { place: 1, round: 2 }), [2, 1]), 1)
  })

  it("does not bind what was refused, or came through later than what was behind it", () => {
    assert.strictEqual(found(command("a", { round: 2 }), command("b", { place: 1, round: 1 }), [2, 1]), 0)
    assert.strictEqual(
      found(command("a", { round: 2, refused: true }), command("b", { place: 1, round: 2 }), [2, 1]),
      0
    )
  })

  it("does not bind within a request what may have been refused by an answer that got lost", () => {
    const first = { ...command("a", { round: 2 }), overlapped: true }
    assert.strictEqual(found(first, command("b", { place: 1, round: 2 }), [2, 1]), 0)
    assert.strictEqual(found(first, command("b", { turn: 2 }), [2, 1]), 1, "but between requests")
  })

  it("is that of a caller and a wallet alone", () => {
    assert.strictEqual(found(command("a", { caller: 1, turn: 1 }), command("b", { caller: 2, turn: 2 }), [2, 1]), 0)
    const elsewhere = { ...command("b", { turn: 2 }), walletId: "x" }
    const versions = new Map([
      ["w c:a", 2],
      ["x c:b", 1]
    ])
    assert.strictEqual(disordered([command("a", { turn: 1 }), elsewhere], versions).found.length, 0)
  })

  it("is looked at against all turns before", () => {
    const commands = [command("a", { turn: 1 }), command("b", { turn: 2 }), command("c", { turn: 3 })]
    const versions = new Map([
      ["w c:a", 5],
      ["w c:b", 6],
      ["w c:c", 4]
    ])
    assert.deepStrictEqual(
      { pairs: 2, found: 1 },
      { ...disordered(commands, versions), found: disordered(commands, versions).found.length }
    )
  })
})

describe("an event", () => {
  const partitions = 16
  const claim = (epoch: number, position: bigint) => ({
    partition: partitionOf("w", partitions),
    epoch,
    position,
    time: 0
  })
  const event = (epoch: number, position: bigint) => ({ walletId: "w", version: 0, epoch, position, key: "c:k" })
  const claims = [claim(2, 10n), claim(1, 0n)]

  it("is under the claim that was the last before it", () => {
    assert.deepStrictEqual(unclaimed([event(1, 1n), event(1, 10n), event(2, 11n)], claims, partitions), [])
  })

  it("is found under any other", () => {
    for (const wrong of [event(2, 5n), event(1, 11n), event(3, 12n), event(0, 11n)]) {
      assert.strictEqual(unclaimed([wrong], claims, partitions).length, 1)
    }
    assert.strictEqual(unclaimed([event(1, 1n)], [], partitions).length, 1, "nobody has claimed it")
  })
})
