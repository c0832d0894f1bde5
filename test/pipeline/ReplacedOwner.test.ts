/**
 * A process that was frozen, and goes on when another has taken its wallets, told of their events
 * as persisted, and lost the rows under a later rule: it writes no refusal.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { fold } from "../../src/domain/Evolve.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import type { Fault } from "../support/FaultyPersistence.ts"
import { type Installation, install, type Node, until } from "../support/Installation.ts"
import { blockedOf, gift, noGifts } from "../support/Refused.ts"
import { create } from "../support/EngineCalls.ts"
import { within } from "../support/Separate.ts"

/** Where it is frozen, and whether the rule is there already: then the successor has it taken away for a while. */
const places: ReadonlyArray<{
  readonly name: string
  readonly calls: (node: Node) => Array<Fault>
  readonly ruled: boolean
}> = [
  { name: "its write", calls: ({ persistence }) => persistence.writeFaults, ruled: false },
  { name: "its refusal", calls: ({ persistence }) => persistence.refuseFaults, ruled: true }
]

/** The rows as they were when the wallet was created. */
const putBack = Effect.fnUntraced(function* ({ events, state }: Installation) {
  const persistence = MemoryPersistence.make(state)
  const creation = events("a").slice(0, 1)
  const wallet = fold(undefined, creation)!
  yield* persistence.erase("all")
  yield* persistence.write([{ walletId: "a", partition: 0, epoch: 1, expectedVersion: -1, events: creation, wallet }])
})

describe("a process that was frozen and replaced", () => {
  for (const { calls, name, ruled } of places) {
    it.effect(`with ${name} on the way reverses nothing that its successor has told as persisted`, () =>
      Effect.gen(function* () {
        const installation = yield* install({ separate: true, bounds: { highWatermarkStep: 0 } })
        const { state } = installation
        const node = yield* installation.start()
        yield* create(node, "a")
        state.rule = ruled ? noGifts : undefined
        let isFrozen = false
        const awake = yield* Deferred.make<void>()
        calls(node).push((call) =>
          Effect.suspend(() => {
            isFrozen = true
            return Effect.andThen(Deferred.await(awake), call)
          })
        )
        yield* Effect.forkChild(Effect.exit(gift(node, "a", 40n, "gift")))
        yield* until(() => isFrozen, "it is frozen")
        state.rule = undefined
        const next = yield* installation.start()
        const told = yield* within(10, gift(next, "a", 40n, "gift"))
        assert.deepStrictEqual([told.replayed, told.durability.persisted], [true, true])
        yield* putBack(installation)
        state.rule = noGifts
        yield* Deferred.succeed(awake, undefined)
        yield* until(() => blockedOf(node) !== "" || state.refusals.size > 0, "it has gone on")
        assert.match(blockedOf(node), /event 1 \(WalletCredited\) of wallet a, which may have been persisted before/)
        assert.strictEqual(state.refusals.size, 0)
        assert.deepStrictEqual(installation.types("a"), ["WalletCreated", "WalletCredited"])
      })
    )
  }
})
