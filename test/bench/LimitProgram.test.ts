import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { EventIds } from "../../src/actors/EventIds.ts"
import { NodeIdentity } from "../../src/actors/NodeIdentity.ts"
import * as SingleNodeOwnership from "../../src/actors/SingleNodeOwnership.ts"
import { makeLimitProgram } from "../../bench/LimitProgram.ts"
import { runCallbacks } from "../../bench/ClosedLoop.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { Persistence } from "../../src/stores/Persistence.ts"

const installation = SingleNodeOwnership.layer({ partitions: 4 }).pipe(
  Layer.provide(NodeIdentity.layer),
  Layer.provideMerge(EventIds.layer),
  Layer.provideMerge(MemoryStores.layer())
)

const load = { callers: 32, rampMillis: 5, millis: 30 }

describe("LimitProgram", () => {
  it.live("appends every credit it answers, in gathered commits, as the engine's log has them", () =>
    Effect.gen(function* () {
      const program = yield* makeLimitProgram(["a", "b", "c"], defaultBounds)
      const result = yield* runCallbacks(load, (n, answered) => program.credit(n % 3, answered))
      const log = yield* EventStore
      const persistence = yield* Persistence
      const wallets = yield* persistence.scanWallets({ after: "", limit: 10 })
      assert.strictEqual(
        wallets.reduce((sum, wallet) => sum + wallet.balance, 0n),
        BigInt(result.total)
      )
      assert.strictEqual((yield* log.head).position, BigInt(result.total + 3))
      for (const { balance, version } of wallets) assert.strictEqual(version, Number(balance))
    }).pipe(Effect.scoped, Effect.provide(installation))
  )

  for (const { bounds, streams } of [
    { streams: 16, bounds: { appendCommits: 5, appendEvents: 9 } },
    { streams: 1, bounds: { appendCommits: 5, appendEvents: 9 } }
  ]) {
    it.live(`keeps to the bounds of an append, ${streams} streams`, () =>
      Effect.gen(function* () {
        const log = yield* EventStore
        const sizes: Array<{ readonly commits: number; readonly events: number }> = []
        const watched = EventStore.of({
          ...log,
          append: (commits) => {
            const events = commits.reduce((sum, commit) => sum + commit.events.length, 0)
            sizes.push({ commits: commits.length, events })
            return Effect.andThen(Effect.yieldNow, log.append(commits))
          }
        })
        const ids = Array.from({ length: streams }, (_, index) => `w${index}`)
        const program = yield* Effect.provideService(makeLimitProgram(ids, bounds), EventStore, watched)
        const { total } = yield* runCallbacks(load, (n, answered) => program.credit((n * 7) % streams, answered))
        for (const { commits, events } of sizes) {
          assert.isAtMost(commits, bounds.appendCommits)
          assert.isAtMost(events, bounds.appendEvents)
        }
        assert.strictEqual(Math.max(...sizes.map(({ events }) => events)), bounds.appendEvents)
        assert.strictEqual((yield* log.head).position, BigInt(total + streams))
      }).pipe(Effect.scoped, Effect.provide(installation))
    )
  }
})
