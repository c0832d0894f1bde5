/**
 * Many callers on few wallets while stores fail, writers interfere and nodes stop,
 * die and fence one another. Whatever happens, what callers were told is true.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import type { CommandError } from "../../src/actors/EngineError.ts"
import type { CommandAnswer } from "../../src/engine/WalletEngine.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { create, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import * as Faults from "../support/FaultyEventStore.ts"
import * as PersistFaults from "../support/FaultyPersistence.ts"
import { type HistoryRule, historyRule } from "../support/HistoryRule.ts"
import { assertConsistent, assertVerified, install, type Installation, type Node } from "../support/Installation.ts"

const wallets = ["a", "b", "c"]
const callers = 6
const commandsPerCaller = 8

/** Everything small, so that every bound is met. */
const bounds: Partial<ActorBounds> = {
  mailboxCommands: 4,
  batchCommands: 3,
  appendCommits: 2,
  appendRetryMillis: 500,
  callerWaitMillis: 2_000,
  conflictRetries: 2,
  residentBytes: 2 * 5_000,
  idleMillis: 3_000,
  concurrentLoads: 1,
  snapshotEvents: 5,
  snapshotMinimumEvents: 2,
  keysInMemory: 3,
  // Some wallets get a filter of forgotten keys, some none.
  keyFilterBytes: 16 * 1024,
  keysInSnapshot: 2,
  isolationMillis: 1_000,
  persistWallets: 2,
  persistEvents: 4,
  persistQueueEvents: 12,
  persistWaitingCallers: 8,
  persistTimeoutMillis: 2_500,
  persistBlockedMillis: 1_000,
  persistBlockedWallets: 2,
  persistBehindEvents: 25,
  compensationsPerMinute: 10_000
}

/** What one command came to, as its caller was told last. */
interface Told {
  readonly walletId: string
  readonly key: string
  readonly outcome:
    | { readonly _tag: "Done"; readonly answer: CommandAnswer }
    | { readonly _tag: "Reversed" }
    | { readonly _tag: "Nothing" }
}

interface World {
  readonly letHistoryPass: HistoryRule["letHistoryPass"]
  readonly installation: Installation
  readonly random: () => number
  readonly below: (limit: number) => number
  readonly told: Array<ReadonlyArray<Told>>
  node: Node
  calm: boolean
  foreign: number
}

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

const drawAppend = (world: World): Faults.AppendFault | undefined => {
  if (world.calm || world.random() < 0.6) return undefined
  const millis = world.below(3_000)
  const faults: ReadonlyArray<Faults.AppendFault> = [
    Faults.unavailable,
    Faults.loseAnswer,
    Faults.loseRequest,
    Faults.throwAfter,
    Faults.interruptAfter,
    Faults.defective,
    (write) => Effect.delay(write, millis),
    (write) => Effect.tap(write, () => Effect.sleep(millis)),
    (write, commits) =>
      Effect.andThen(Effect.forkDetach(Effect.delay(write, millis)), Faults.loseRequest(write, commits)),
    (write, commits) => {
      const walletId = commits[0]?.walletId ?? "a"
      return Effect.andThen(
        Effect.exit(writeForeign(world.installation, foreignCredit(walletId, 1n), `c:foreign-${world.foreign++}`)),
        write
      )
    }
  ]
  return faults[world.below(faults.length)]
}

const drawRead = (world: World): Faults.ReadFault | undefined => {
  if (world.calm || world.random() < 0.85) return undefined
  const millis = world.below(3_000)
  const faults: ReadonlyArray<Faults.ReadFault> = [
    Faults.unreadable(Faults.unavailableLog),
    Faults.unreadable(Faults.defectiveLog),
    (read) => Effect.delay(read, millis),
    () => Effect.die(new Error("scripted")),
    () => Effect.interrupt
  ]
  return faults[world.below(faults.length)]
}

const drawPersist = (world: World, calm: number): PersistFaults.Fault | undefined => {
  if (world.calm || world.random() < calm) return undefined
  const millis = world.below(3_000)
  const faults: ReadonlyArray<PersistFaults.Fault> = [
    PersistFaults.away,
    PersistFaults.answerLost,
    PersistFaults.silent,
    PersistFaults.defective,
    PersistFaults.throwAfter,
    PersistFaults.slow(millis),
    (call) => Effect.tap(call, () => Effect.sleep(millis))
  ]
  return faults[world.below(faults.length)]
}

const startNode = Effect.fnUntraced(function* (world: Pick<World, "installation">) {
  return yield* world.installation.start()
})

const disturb = (world: World, node: Node): void => {
  node.log.draw = { append: () => drawAppend(world), read: () => drawRead(world) }
  node.persistence.drawWrite = () => drawPersist(world, 0.6)
  node.persistence.drawRead = () => drawPersist(world, 0.8)
  const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1 })
  node.persistence.draw = () => {
    if (world.calm) {
      node.persistence.behindAt = undefined
      return undefined
    }
    node.persistence.behindAt = world.random() < 0.5 ? undefined : world.below(20) - 1
    if (world.random() < 0.85) return undefined
    const millis = world.below(3_000)
    return [() => Effect.fail(away), () => Effect.die(new Error("scripted")), Effect.delay(millis)][world.below(3)]
  }
}

/** Stops, kills or fences the node, and goes on with another. */
const replaceNodes = Effect.fnUntraced(function* (world: World) {
  while (!world.calm) {
    yield* Effect.sleep(1_000 + world.below(8_000))
    const old = world.node
    const how = world.below(3)
    if (how === 0) yield* old.stop
    if (how === 1) old.kill()
    world.node = yield* startNode(world)
    disturb(world, world.node)
  }
})

const randomCommand = (world: World, walletId: string, idempotencyKey: string) => {
  const amount = BigInt(1 + world.below(20))
  const input = { walletId, amount, idempotencyKey }
  switch (world.below(6)) {
    case 0:
    case 1:
      return (node: Node): Effect.Effect<CommandAnswer, CommandError> => node.engine.debit(input)
    case 2:
      return (node: Node): Effect.Effect<CommandAnswer, CommandError> => node.engine.placeHold(input)
    case 3:
      return (node: Node): Effect.Effect<CommandAnswer, CommandError> =>
        node.engine.updateWallet({ walletId, overdraftLimit: amount, metadata: { by: idempotencyKey }, idempotencyKey })
    default:
      return (node: Node): Effect.Effect<CommandAnswer, CommandError> => node.engine.credit(input)
  }
}

/** May the command be in the log after such an answer? */
const mayHaveHappened = (exit: Exit.Exit<Result.Result<CommandAnswer, CommandError>>): boolean =>
  Exit.isFailure(exit) || (Result.isFailure(exit.value) && exit.value.failure._tag === "OutcomeUnknown")

const transient = new Set(["StoreUnavailable", "StoreDefect", "MailboxFull", "OutcomeUnknown"])

/** How often callers were told what, over all runs: chaos that does not come about proves nothing. */
const tally = new Map<string, number>()

const count = (exit: Exit.Exit<Result.Result<CommandAnswer, CommandError>>): void => {
  const what = Exit.isFailure(exit)
    ? "defect"
    : Result.isFailure(exit.value)
      ? exit.value.failure._tag
      : exit.value.success.replayed
        ? "replayed"
        : "done"
  tally.set(what, (tally.get(what) ?? 0) + 1)
}

/** Sends one command until its outcome is known; gives up only where nothing can have happened. */
const insist = Effect.fnUntraced(function* (world: World, walletId: string, key: string) {
  const command = randomCommand(world, walletId, key)
  let open = false
  while (true) {
    const node = world.node
    // A caller of a process that dies is gone with it: its client waits and asks the next one.
    const exit = yield* Effect.exit(
      Effect.timeoutOrElse(Effect.result(command(node)), {
        duration: 5_000,
        orElse: () => Effect.die(new Error("no answer: the process is gone"))
      })
    )
    count(exit)
    open ||= mayHaveHappened(exit)
    if (Exit.isSuccess(exit)) {
      const result = exit.value
      if (Result.isSuccess(result)) {
        return { walletId, key, outcome: { _tag: "Done", answer: result.success } } satisfies Told
      }
      if (result.failure._tag === "OperationReversed") {
        return { walletId, key, outcome: { _tag: "Reversed" } } satisfies Told
      }
      if (!transient.has(result.failure._tag) || (!open && world.random() < 0.2)) {
        return { walletId, key, outcome: { _tag: "Nothing" } } satisfies Told
      }
    }
    yield* Effect.sleep(world.below(500))
  }
})

const call = Effect.fnUntraced(function* (world: World, caller: number) {
  const told: Array<Told> = []
  world.told.push(told)
  for (let n = 0; n < commandsPerCaller; n++) {
    told.push(yield* insist(world, wallets[world.below(wallets.length)] ?? "a", `${caller}-${n}`))
  }
})

const reversedVersions = (installation: Installation, walletId: string): ReadonlySet<number> =>
  new Set(
    installation
      .events(walletId)
      .flatMap(({ event }) => (event._tag === "OperationReversed" ? [event.reversedVersion] : []))
  )

const assertTold = (installation: Installation, told: ReadonlyArray<Told>): void => {
  const last = new Map<string, number>()
  for (const { key, outcome, walletId } of told) {
    const events = installation.events(walletId).filter(({ metadata }) => metadata.key === `c:${key}`)
    if (outcome._tag === "Nothing") {
      assert.deepStrictEqual(events, [], `${key} was told as not happened`)
      continue
    }
    assert.isAbove(events.length, 0, `${key} was told as done`)
    assert.strictEqual(new Set(events.map(({ metadata }) => metadata.commandId)).size, 1, `${key} took place once`)
    const isReversed = reversedVersions(installation, walletId)
    if (outcome._tag === "Reversed") {
      assert.isTrue(
        events.every(({ version }) => isReversed.has(version)),
        `${key} was told as reversed`
      )
      continue
    }
    if (outcome.answer.durability.persisted) {
      assert.isFalse(
        events.some(({ version }) => isReversed.has(version)),
        `${key} was told as persisted`
      )
    }
    assert.strictEqual(outcome.answer.wallet.version, events.at(-1)?.version, `${key} was told its own version`)
    assert.isAbove(outcome.answer.wallet.version, last.get(walletId) ?? -1, "a caller's order is kept")
    last.set(walletId, outcome.answer.wallet.version)
  }
}

const run = Effect.fnUntraced(function* (seed: number, separate: boolean) {
  const { letHistoryPass, rule } = historyRule((event) => "amount" in event && event.amount === 13n)
  const installation = yield* install({ bounds, rule, separate })
  const random = randomFrom(seed)
  const first = yield* startNode({ installation })
  const world: World = {
    letHistoryPass,
    installation,
    random,
    below: (limit) => Math.floor(random() * limit),
    told: [],
    node: first,
    calm: false,
    foreign: 0
  }
  for (const id of wallets) yield* create(first, id)
  disturb(world, first)
  const replacing = yield* Effect.forkChild(replaceNodes(world))
  const calling = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: callers }, (_, caller) => caller),
      (caller) => call(world, caller),
      { concurrency: "unbounded", discard: true }
    )
  )
  for (let turn = 0; calling.pollUnsafe() === undefined; turn++) {
    assert.isBelow(turn, 3_000, "all callers have their answers within five minutes")
    yield* TestClock.adjust(100)
    letHistoryPass(world.node)
  }
  world.calm = true
  yield* Fiber.join(calling)
  for (let turn = 0; replacing.pollUnsafe() === undefined; turn++) {
    assert.isBelow(turn, 3_000, "every stop ends")
    yield* TestClock.adjust(100)
  }
  yield* Fiber.join(replacing)
  // The slow look takes up what nobody knows of: foreign events.
  for (let second = 0; second < (separate ? 60 : 10); second++) {
    yield* TestClock.adjust("1 second")
    letHistoryPass(world.node)
  }
  for (const told of world.told) assertTold(installation, told)
  for (const id of wallets) yield* assertConsistent(installation, world.node, id)
  yield* assertVerified(installation)
})

const common = ["done", "replayed", "defect", "InsufficientFunds", "MailboxFull", "OutcomeUnknown", "StoreDefect"]

describe("under chaos", () => {
  for (const separate of [false, true]) {
    describe(separate ? "with Persistence behind the log" : "in one database", () => {
      it.effect.prop(
        "everyone is told the truth, once, in order, and the log, the rows and the money agree",
        [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 }))],
        ([seed]) => Effect.scoped(run(seed, separate)),
        { arbitrary: { runs: 25, maxShrinks: 0 } }
      )

      it("has met every kind of answer", () => {
        const refused = separate ? "OperationReversed" : "OperationRefused"
        assert.includeMembers([...tally.keys()], [...common, "StoreUnavailable", refused])
        tally.clear()
      })
    })
  }
})
