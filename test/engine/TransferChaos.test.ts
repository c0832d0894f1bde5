/**
 * Transfers between a few wallets while the log fails, answers get lost and nodes die,
 * with one store or two. In the end every transfer has ended, once, and what its caller
 * was told is what the log says.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { isPassing } from "../../src/engine/TransferSteps.ts"
import type { TransferError } from "../../src/engine/TransferRun.ts"
import type { WalletEvent } from "../../src/domain/Event.ts"
import type { Transfer } from "../../src/domain/Wallet.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import { historyRule } from "../support/HistoryRule.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, install, transferModes } from "../support/Installation.ts"
import { assertConserved, fund, inFlight, pass, send } from "../support/TransferCalls.ts"

const wallets = ["a", "b", "c", "d"]
const callers = 5
const transfersPerCaller = 6

/** Mulberry32: small, seeded, good enough to choose faults. */
const randomFrom = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface World {
  readonly installation: Installation
  readonly below: (limit: number) => number
  node: Node
  calm: boolean
}

/** What one key came to, as its caller was told last. */
interface Told {
  readonly from: string
  readonly key: string
  readonly outcome: Transfer | TransferError["_tag"]
}

const drawAppend = (world: World): Faults.AppendFault | undefined => {
  if (world.calm || world.below(10) < 6) return undefined
  const millis = world.below(3_000)
  const faults: ReadonlyArray<Faults.AppendFault> = [
    Faults.unavailable,
    Faults.loseAnswer,
    Faults.loseRequest,
    Faults.throwAfter,
    Faults.defective,
    (write) => Effect.delay(write, millis),
    (write) => Effect.tap(write, () => Effect.sleep(millis)),
    (write, commits) =>
      Effect.andThen(Effect.forkDetach(Effect.delay(write, millis)), Faults.loseRequest(write, commits))
  ]
  return faults[world.below(faults.length)]
}

const startNode = Effect.fnUntraced(function* (world: World) {
  world.node = yield* world.installation.start()
  world.node.log.draw = { append: () => drawAppend(world), read: () => undefined }
  world.node.persistence.writesAway = false
})

/** Sends with one key until it is told something that lasts; a caller may give up waiting and come back. */
const insist = Effect.fnUntraced(function* (world: World, from: string, to: string, amount: bigint, key: string) {
  while (true) {
    const exit = yield* Effect.exit(
      Effect.timeoutOption(send(world.node, from, to, amount, key), 1_000 + world.below(15_000))
    )
    if (Exit.isSuccess(exit) && exit.value._tag === "Some" && exit.value.value.transfer.status !== "pending") {
      return { from, key, outcome: exit.value.value.transfer } satisfies Told
    }
    const error = Exit.isFailure(exit) ? exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error : undefined
    const passing = error === undefined || (error._tag !== "TransferReversed" && isPassing(error))
    if (!passing && error._tag !== "StoreDefect") return { from, key, outcome: error._tag } satisfies Told
    yield* Effect.sleep(1 + world.below(500))
  }
})

const caller = (world: World, number: number) =>
  Effect.forEach(Array.from({ length: transfersPerCaller }), (_, index) => {
    const from = wallets[world.below(4)]!
    const to = wallets[world.below(4)]!
    const amount = BigInt(world.below(3) === 0 ? 13 : 1 + world.below(60))
    return insist(world, from, to, amount, `${number}-${index}`)
  })

const disturb = (world: World) =>
  Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(2_000 + world.below(6_000))
      const kind = world.below(3)
      if (kind === 0) world.node.persistence.writesAway = !world.node.persistence.writesAway
      if (kind > 0) {
        if (kind === 1) world.node.log.kill()
        yield* startNode(world)
      }
    })
  )

/** What was told of each key is what the log says of its transfer. */
const assertTold = (installation: Installation, told: ReadonlyArray<Told>) => {
  const events = wallets.flatMap((walletId) => installation.events(walletId))
  const of = (transferId: string) =>
    events.flatMap(({ event }) => ("transferId" in event && event.transferId === transferId ? [event._tag] : [])).sort()
  for (const { from, key, outcome } of told) {
    if (typeof outcome === "object") {
      assert.deepStrictEqual(of(outcome.id), ["TransferReceived", "TransferSent", "TransferSettled"], key)
      continue
    }
    const sent = events.find(
      ({ event, metadata, walletId }) =>
        walletId === from && metadata.key === `c:${key}` && event._tag === "TransferSent"
    )
    if (outcome === "TransferReversed") {
      assert(sent?.event._tag === "TransferSent", key)
      const types = of(sent.event.transferId)
      assert.includeMembers(types, ["TransferReversed", "TransferSent"], key)
      assert.isTrue(types.includes("TransferRefused") !== types.includes("TransferReceived"), key)
    } else if (outcome !== "OperationReversed") {
      assert.isUndefined(sent, `${key}: ${outcome}`)
    }
  }
}

const refuses = (event: WalletEvent): boolean =>
  "amount" in event && event.amount === 13n && "from" in event && "metadata" in event

const runWorld = Effect.fnUntraced(function* (seed: number, mode: (typeof transferModes)[number][1]) {
  const random = randomFrom(seed)
  const { letHistoryPass, rule } = historyRule(refuses)
  const installation = yield* install({
    ...mode,
    rule,
    bounds: { sagaRetryMillis: 2_000, appendRetryMillis: 500, callerWaitMillis: 4_000, keysInMemory: 3 }
  })
  const below = (limit: number) => Math.floor(random() * limit)
  const node = yield* installation.start()
  const world: World = { installation, below, node, calm: true }
  const funding = yield* Effect.forkChild(fund(node, wallets, 200n))
  yield* pass(2)
  yield* Fiber.join(funding)
  node.log.draw = { append: () => drawAppend(world), read: () => undefined }
  world.calm = false
  const calling = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: callers }), (_, number) => caller(world, number), { concurrency: "unbounded" })
  )
  const disturbing = yield* Effect.forkChild(disturb(world))
  for (let second = 0; second < 40; second++) {
    yield* pass(1)
    letHistoryPass(world.node)
  }
  yield* Fiber.interrupt(disturbing)
  world.calm = true
  yield* startNode(world)
  for (let second = 0; second < 45; second++) {
    yield* pass(1)
    letHistoryPass(world.node)
  }
  const told = (yield* Fiber.join(calling)).flat()
  for (const walletId of wallets) assert.strictEqual(inFlight(installation, walletId), 0, walletId)
  assert.strictEqual(assertConserved(installation), 0n)
  assertTold(installation, told)
  yield* TestClock.adjust("5 seconds")
  for (const walletId of wallets) yield* assertConsistent(installation, world.node, walletId)
  return told.map(({ outcome }) => (typeof outcome === "object" ? "completed" : outcome))
})

describe("transfers under chaos", () => {
  for (const [where, mode] of transferModes) {
    it.effect(
      `end, once, and their callers are told the truth, ${where}`,
      () =>
        Effect.gen(function* () {
          const outcomes = new Set<string>()
          for (let seed = 1; seed <= 3; seed++) {
            for (const outcome of yield* Effect.scoped(runWorld(seed, mode))) outcomes.add(outcome)
          }
          assert.includeMembers([...outcomes], ["completed", "TransferReversed"])
        }),
      600_000
    )
  }
})
