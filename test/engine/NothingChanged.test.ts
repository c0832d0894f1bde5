/** A command that finds all as it wants it: its key is used up all the same, and a late retry does not act. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { CommandAnswer } from "../../src/engine/WalletEngine.ts"
import { create, credit } from "../support/EngineCalls.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, assertVerified, forgetful, install, quiet, until } from "../support/Installation.ts"
import { assertEqual, flushed, within } from "../support/Separate.ts"

type Call = (
  node: Node,
  idempotencyKey: string,
  walletId?: string
) => Effect.Effect<CommandAnswer, { readonly _tag: string }>

const freeze: Call = ({ engine }, idempotencyKey, walletId = "a") =>
  engine.freeze({ walletId, reason: "fraud", idempotencyKey })
const unfreeze: Call = ({ engine }, idempotencyKey, walletId = "a") => engine.unfreeze({ walletId, idempotencyKey })
const name =
  (mood: string): Call =>
  ({ engine }, idempotencyKey, walletId = "a") =>
    engine.updateWallet({ walletId, metadata: { mood }, idempotencyKey })
const limit =
  (overdraftLimit: bigint): Call =>
  ({ engine }, idempotencyKey, walletId = "a") =>
    engine.updateWallet({ walletId, overdraftLimit, idempotencyKey })

interface Case {
  readonly what: string
  /** Makes it so. */
  readonly before: Call
  /** Finds it so. */
  readonly idle: Call
  /** Makes it otherwise. */
  readonly after: Call
}

const cases: ReadonlyArray<Case> = [
  { what: "a freeze of a frozen wallet", before: freeze, idle: freeze, after: unfreeze },
  { what: "an unfreeze of an active wallet", before: unfreeze, idle: unfreeze, after: freeze },
  { what: "a patch to the metadata that is there", before: name("good"), idle: name("good"), after: name("bad") },
  { what: "a patch to the limit that is there", before: limit(5n), idle: limit(5n), after: limit(0n) }
]

interface Place {
  readonly where: string
  readonly bounds: Parameters<typeof install>[0]
  /** What becomes of the wallet between the command and its late retry; answers who has it then. */
  readonly meanwhile: (installation: Installation, node: Node) => Effect.Effect<Node, unknown, never>
}

const passivated = (_: Installation, node: Node) =>
  Effect.gen(function* () {
    yield* quiet(node)
    yield* TestClock.adjust("2 minutes")
    yield* until(() => node.registry.load().residentWallets === 0, "the wallet has left memory")
    return node
  })

const outOfWindow = (_: Installation, node: Node) =>
  Effect.gen(function* () {
    for (let number = 0; number < 3; number++) yield* credit(node, "a", 1n, `between-${number}`)
    return node
  })

const places: ReadonlyArray<Place> = [
  { where: "at once", bounds: {}, meanwhile: (_, node) => Effect.succeed(node) },
  { where: "after passivation", bounds: { bounds: { idleMillis: 60_000 } }, meanwhile: passivated },
  { where: "past the keys in memory", bounds: { bounds: forgetful }, meanwhile: outOfWindow },
  { where: "past the keys in memory, by its trace", bounds: { bounds: { keysInMemory: 1 } }, meanwhile: outOfWindow }
]

/** A command that changes nothing, and one that changes that. */
const act = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  { after, before, idle }: Case,
  walletId: string
) {
  yield* create(node, walletId)
  yield* before(node, "before", walletId)
  const first = yield* idle(node, "K", walletId)
  assert.isFalse(first.replayed)
  assert.strictEqual(installation.types(walletId).at(-1), "NothingChanged")
  return { first, changed: yield* after(node, "after", walletId) }
})

const assertRetried = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  { idle }: Case,
  walletId: string,
  { changed, first }: Effect.Success<ReturnType<typeof act>>
) {
  const events = installation.events(walletId).length
  const late = yield* idle(node, "K", walletId)
  assert.isTrue(late.replayed)
  assert.deepStrictEqual(viewOf(late), viewOf(first))
  assert.strictEqual(installation.events(walletId).length, events)
  const now = yield* node.engine.getWallet({ walletId })
  assert.deepStrictEqual(
    [now.status, now.metadata, now.overdraftLimit],
    [changed.wallet.status, changed.wallet.metadata, changed.wallet.overdraftLimit]
  )
  yield* assertConsistent(installation, node, walletId)
  yield* assertVerified(installation)
})

const actAndRetry = Effect.fnUntraced(function* (
  installation: Installation,
  one: Case,
  meanwhile: (node: Node) => Effect.Effect<Node, unknown>
) {
  const node = yield* installation.start()
  const acted = yield* act(installation, node, one, "a")
  yield* assertRetried(installation, yield* meanwhile(node), one, "a", acted)
})

const viewOf = ({ wallet }: CommandAnswer) => [
  wallet.version,
  wallet.status,
  wallet.metadata,
  wallet.overdraftLimit,
  wallet.balance,
  wallet.updatedAt
]

describe("a late retry of what changed nothing has its first answer and no effect", () => {
  for (const one of cases) {
    for (const { bounds, meanwhile, where } of places) {
      it.effect(`${one.what}, ${where}`, () =>
        Effect.gen(function* () {
          const installation = yield* install(bounds)
          yield* actAndRetry(installation, one, (node) => meanwhile(installation, node))
        })
      )
    }
    it.effect(`${one.what}, after a restart`, () =>
      Effect.gen(function* () {
        const installation = yield* install()
        const scope = yield* Effect.scope
        yield* actAndRetry(installation, one, (node) =>
          Effect.andThen(node.stop, Effect.provideService(installation.start(), Scope.Scope, scope))
        )
      })
    )
  }

  // One walk of the clock for all of them; what is done every second would be done 90,000 times.
  it.effect("25 hours later", () =>
    Effect.gen(function* () {
      const seldom = { transferSweepMillis: 60_000, holdSweepMillis: 60_000, clockLookMillis: 60_000 }
      const installation = yield* install({ bounds: seldom })
      const node = yield* installation.start()
      const acted = yield* Effect.forEach(cases, (one, index) => act(installation, node, one, `wallet${index}`))
      yield* TestClock.adjust("25 hours")
      for (const [index, one] of cases.entries()) {
        yield* assertRetried(installation, node, one, `wallet${index}`, acted[index]!)
      }
    })
  )

  it.effect("also when it comes twice at once", () =>
    Effect.gen(function* () {
      const installation = yield* install()
      const node = yield* installation.start()
      yield* create(node, "a")
      const answers = yield* Effect.all([unfreeze(node, "K"), unfreeze(node, "K")], { concurrency: 2 })
      assert.sameMembers(
        answers.map(({ replayed }) => replayed),
        [false, true]
      )
      assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "NothingChanged"])
    })
  )
})

describe("what changed nothing, behind a log of its own", () => {
  it.effect("waits until what it found cannot be undone any more", () =>
    Effect.gen(function* () {
      const rule = ({ events }: { readonly events: ReadonlyArray<{ readonly event: { readonly _tag: string } }> }) =>
        events.some(({ event }) => event._tag === "WalletFrozen") ? "no freeze" : undefined
      const installation = yield* install({ separate: true, rule })
      const node = yield* installation.start()
      yield* create(node, "a")
      yield* flushed(node)
      const frozen = yield* Effect.forkChild(Effect.flip(freeze(node, "k1")))
      const again = yield* Effect.forkChild(Effect.flip(freeze(node, "k2")))
      assert.strictEqual((yield* within(30, Fiber.join(frozen)))._tag, "OperationReversed")
      // It found the freeze undone, and so was a freeze itself.
      assert.strictEqual((yield* within(30, Fiber.join(again)))._tag, "OperationReversed")
      assert.notInclude(installation.types("a"), "NothingChanged")
      assert.strictEqual((yield* node.engine.getWallet({ walletId: "a" })).status, "active")
      yield* assertEqual(installation, node, ["a"])
    })
  )

  it.effect("is reversed without effect where a rule refuses it, and its retry is told so", () =>
    Effect.gen(function* () {
      const rule = ({ events }: { readonly events: ReadonlyArray<{ readonly event: { readonly _tag: string } }> }) =>
        events.some(({ event }) => event._tag === "NothingChanged") ? "say what you want" : undefined
      const installation = yield* install({ separate: true, rule })
      const node = yield* installation.start()
      yield* create(node, "a")
      yield* credit(node, "a", 10n, "k1")
      yield* flushed(node)
      for (const replayed of [false, true]) {
        const error = yield* within(30, Effect.flip(unfreeze(node, "K")))
        const told: object = error
        assert.deepInclude(told, { _tag: "OperationReversed", reason: "say what you want", replayed })
      }
      assert.deepStrictEqual(installation.types("a"), [
        "WalletCreated",
        "WalletCredited",
        "NothingChanged",
        "OperationReversed"
      ])
      const wallet = yield* node.engine.getWallet({ walletId: "a" })
      assert.deepStrictEqual([wallet.balance, wallet.status, wallet.version], [10n, "active", 3])
      yield* assertEqual(installation, node, ["a"])
    })
  )
})
