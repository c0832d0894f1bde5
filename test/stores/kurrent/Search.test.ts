/** Long ways through others' events, without a server: who gives up early does not start anew. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as KurrentConnection from "../../../src/stores/kurrent/Connection.ts"
import * as KurrentHead from "../../../src/stores/kurrent/Head.ts"
import * as KurrentNames from "../../../src/stores/kurrent/Names.ts"
import { positionAt } from "../../../src/stores/kurrent/Position.ts"
import type { KurrentReads, LogRead } from "../../../src/stores/kurrent/Reads.ts"
import * as KurrentSearch from "../../../src/stores/kurrent/Search.ts"

const names = KurrentNames.make("wallet")

/** A log of streams, an event per offset, whose every event takes a millisecond to pass over. */
const logOf = (streams: Array<string>) => {
  const reads: Array<LogRead> = []
  const log: KurrentReads["log"] = (read) =>
    Effect.gen(function* () {
      reads.push(read)
      const offsets = streams.map((_, offset) => offset)
      const way = read.from === "end" ? offsets.toReversed() : offsets.slice(Number(read.from))
      const found = []
      for (const [steps, offset] of way.entries()) {
        const streamId = streams[offset]!
        if (read.prefixes?.some((prefix) => streamId.startsWith(prefix)) === false) continue
        found.push({ streamId, id: "", revision: 0n, type: "", data: {}, position: { commit: BigInt(offset) } })
        if (found.length < read.maxCount) continue
        yield* Effect.sleep(steps)
        return found
      }
      yield* Effect.sleep(way.length)
      return found
    })
  return { reads, service: { log, stream: () => Effect.undefined } satisfies KurrentReads }
}

const installed = [names.installation]
const others = (count: number) => Array.from({ length: count }, () => "others-1")

describe("a search", () => {
  it.effect("that outlives its caller goes on, and the next caller asks anew behind what it has found out", () =>
    Effect.gen(function* () {
      const searches = yield* KurrentSearch.make(1_000)
      const known: Array<string> = []
      const search = (name: string, millis: number) =>
        Effect.gen(function* () {
          yield* Effect.sleep(known.length === 0 ? millis : 1)
          known.push(name)
          return `${name} knows ${known.join()}`
        })
      const first = yield* Effect.forkChild(Effect.flip(searches.run("key", search("first", 2_500))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(first))._tag, "StoreUnavailable")
      const second = yield* Effect.forkChild(Effect.flip(searches.run("key", search("second", 2_500))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(second))._tag, "StoreUnavailable")
      assert.deepStrictEqual(known, [])
      const third = yield* Effect.forkChild(searches.run("key", search("third", 2_500)))
      yield* TestClock.adjust("600 millis")
      assert.strictEqual(yield* Fiber.join(third), "third knows first,third")
    }).pipe(Effect.scoped)
  )

  it.effect("does not make another one wait", () =>
    Effect.gen(function* () {
      const searches = yield* KurrentSearch.make(1_000)
      yield* Effect.forkChild(Effect.ignore(searches.run("slow", Effect.never)))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* searches.run("quick", Effect.succeed(7)), 7)
    }).pipe(Effect.scoped)
  )
})

describe("the head of a log", () => {
  const headOf = Effect.fnUntraced(function* (streams: Array<string>) {
    const { reads, service } = logOf(streams)
    const searches = yield* KurrentSearch.make(1_000)
    const head = KurrentHead.make(names, service, searches)
    /** Asks once, with the caller's whole patience. */
    const ask = Effect.gen(function* () {
      const asked = yield* Effect.forkChild(Effect.result(head.lastPosition))
      yield* TestClock.adjust("1 second")
      const result = yield* Fiber.join(asked)
      return result._tag === "Success" ? result.success : result.failure._tag
    })
    return { ask, head, reads }
  })

  it.effect("is nothing where no wallet has an event", () =>
    Effect.gen(function* () {
      const { ask } = yield* headOf([...others(5), ...installed, ...others(5)])
      assert.strictEqual(yield* ask, 0n)
    }).pipe(Effect.scoped)
  )

  it.effect("is the last event of a wallet, whoever has written behind it", () =>
    Effect.gen(function* () {
      const streams = [...installed, "wallet-a", "wallet-b", "wallet.claims-1", "wallets-c", ...others(3)]
      const { ask } = yield* headOf(streams)
      assert.strictEqual(yield* ask, positionAt(2n))
      streams.push("wallet-a", ...others(2))
      assert.strictEqual(yield* ask, positionAt(8n))
      streams.push(...Array.from({ length: 200 }, () => "wallet-b"), ...others(1))
      assert.strictEqual(yield* ask, positionAt(210n))
    }).pipe(Effect.scoped)
  )

  it.effect("is found in the end behind more events of others than one caller waits for, and near from then on", () =>
    Effect.gen(function* () {
      const streams = [...installed, "wallet-a", ...others(2_500)]
      const { ask, head, reads } = yield* headOf(streams)
      assert.strictEqual(yield* ask, "StoreUnavailable")
      streams.push(...others(100))
      assert.strictEqual(yield* ask, "StoreUnavailable")
      streams.push(...others(100))
      assert.strictEqual(yield* ask, positionAt(1n))
      streams.push(...others(100))
      assert.strictEqual(yield* ask, positionAt(1n))
      assert.strictEqual(
        reads.filter(({ from, maxCount, prefixes }) => prefixes && from === "end" && maxCount === 1).length,
        1
      )
      assert.strictEqual(head.offsetBehind(positionAt(1n)), BigInt(streams.length - 1))
      assert.strictEqual(head.offsetBehind(0n), 0n)
    }).pipe(Effect.scoped)
  )

  it.effect("is looked for anew in a log that has become shorter", () =>
    Effect.gen(function* () {
      const streams = [...installed, "wallet-a", "wallet-b", ...others(3)]
      const { ask } = yield* headOf(streams)
      assert.strictEqual(yield* ask, positionAt(2n))
      streams.splice(2)
      assert.strictEqual(yield* ask, positionAt(1n))
    }).pipe(Effect.scoped)
  )
})

describe("a connection", () => {
  it.effect("is made anew when it has led to a node that is not the leader", () =>
    Effect.gen(function* () {
      const connection = yield* KurrentConnection.make({ url: Redacted.make("kurrentdb://127.0.0.1:1?tls=false") })
      const before = connection.client()
      const send = (type: string) => connection.call(() => Promise.reject(Object.assign(new Error(type), { type })))
      assert.strictEqual((yield* Effect.flip(send("timeout"))).failure.kind, "transient")
      assert.strictEqual(connection.client(), before)
      assert.strictEqual((yield* Effect.flip(send("not-leader"))).failure.kind, "notLeader")
      const after = connection.client()
      assert.notStrictEqual(after, before)
      yield* connection.renew(before)
      assert.strictEqual(connection.client(), after)
    }).pipe(Effect.scoped)
  )
})
