import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { KeyFilterBudget } from "../../src/actors/KeyFilter.ts"
import { KeyWindow } from "../../src/actors/KeyWindow.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"

const event = (version: number, key: string, time = version): RecordedEvent => ({
  id: `${version}`,
  walletId: "a",
  version,
  time,
  event: { _tag: "WalletFrozen", reason: null, balanceAfter: 0n, heldAfter: 0n },
  metadata: {
    commandId: key,
    key: `c:${key}`,
    fingerprint: `f-${key}`,
    correlationId: null,
    causationId: null,
    actor: null,
    epoch: 1
  }
})

const roomy = () => new KeyFilterBudget(1024 * 1024)
/** No byte for a filter: what is dropped is forgotten. */
const none = () => new KeyFilterBudget(0)

const day = 24 * 60 * 60 * 1000

describe("a wallet's window of keys", () => {
  it("knows every key while none was dropped", () => {
    const window = new KeyWindow(3, none())
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`))
    assert.isFalse(window.mayHaveForgotten("c:other", 0, day, true))
    assert.deepInclude(window.get("c:k1"), { fingerprint: "f-k1", version: 1 })
    assert.isUndefined(window.get("c:other"))
  })

  it("drops the oldest, says from where on it is complete, and until when that matters", () => {
    const window = new KeyWindow(2, none())
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`, 1_000 * version))
    assert.isUndefined(window.get("c:k0"))
    assert.strictEqual(window.coversFrom, 1)
    assert.isTrue(window.mayHaveForgotten("c:new", day, day, false), "the dropped key is exactly a day old")
    assert.isFalse(window.mayHaveForgotten("c:new", day + 1, day, false))
    assert.isTrue(window.mayHaveForgotten("c:new", day + 1, day, true), "asked to look further back")
  })

  it("knows from its filter which keys were never there, and is in doubt about those it dropped", () => {
    const window = new KeyWindow(2, roomy())
    for (let version = 0; version < 1_000; version++) window.add(event(version, `k${version}`))
    const forgotten = (key: string) => window.mayHaveForgotten(`c:${key}`, 1_000, day, true)
    for (let version = 0; version < 998; version++) assert.isTrue(forgotten(`k${version}`), `k${version}`)
    const doubts = Array.from({ length: 1_000 }, (_, i) => `new${i}`).filter(forgotten)
    assert.isBelow(doubts.length, 10)
  })

  it("keeps a command of two events as one key with its last version, and drops both together", () => {
    const window = new KeyWindow(2, none())
    window.add(event(0, "one"))
    window.add(event(1, "two"))
    window.add(event(2, "two"))
    assert.strictEqual(window.coversFrom, 0)
    assert.strictEqual(window.get("c:two")?.version, 2)
    window.add(event(3, "three"))
    window.add(event(4, "four"))
    assert.isUndefined(window.get("c:two"))
    assert.strictEqual(window.coversFrom, 3)
  })

  it("drops an older key between the two events of one command and stays right", () => {
    const window = new KeyWindow(1, none())
    window.add(event(0, "one"))
    window.add(event(1, "two"))
    assert.strictEqual(window.coversFrom, 1)
    window.add(event(2, "two"))
    assert.deepStrictEqual([window.get("c:two")?.version, window.coversFrom], [2, 1])
  })

  it.prop(
    "covers all it claims to cover, also through snapshots",
    {
      capacity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
      inSnapshot: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
      // Per command: how many events it has, and whether a snapshot is taken and read back after it.
      commands: Schema.Array(Schema.Struct({ two: Schema.Boolean, restart: Schema.Boolean }))
    },
    ({ capacity, commands, inSnapshot }) => {
      let window = new KeyWindow(capacity, none())
      const written: Array<RecordedEvent> = []
      commands.forEach((command, index) => {
        for (let n = 0; n < (command.two ? 2 : 1); n++) {
          const recorded = event(written.length, `k${index}`)
          written.push(recorded)
          window.add(recorded)
        }
        if (command.restart) {
          window = new KeyWindow(capacity, none(), JSON.parse(JSON.stringify(window.state(inSnapshot))))
        }
        const last = new Map(written.map((recorded) => [recorded.metadata.key, recorded]))
        for (const recorded of last.values()) {
          const seen = window.get(recorded.metadata.key)
          if (recorded.version >= window.coversFrom) assert.strictEqual(seen?.version, recorded.version)
          if (seen !== undefined) assert.strictEqual(seen.fingerprint, recorded.metadata.fingerprint)
        }
        const uncovered = written.filter(({ version }) => version < window.coversFrom)
        const newest = Math.max(-1, ...uncovered.map(({ time }) => time))
        assert.strictEqual(window.mayHaveForgotten("c:new", newest, 10, true), uncovered.length > 0)
        if (uncovered.length > 0) {
          assert.isTrue(window.mayHaveForgotten("c:new", newest + 10, 10, false))
          assert.isFalse(window.mayHaveForgotten("c:new", newest + 11, 10, false))
        }
      })
    }
  )
})
