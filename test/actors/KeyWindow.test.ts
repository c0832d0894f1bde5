import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
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

const day = 24 * 60 * 60 * 1000

describe("a wallet's window of keys", () => {
  it("knows every key while none was dropped", () => {
    const window = new KeyWindow(3)
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`))
    assert.isTrue(window.isWhole)
    assert.isTrue(window.isComplete(0, day))
    assert.deepInclude(window.get("c:k1"), { fingerprint: "f-k1", version: 1 })
    assert.isUndefined(window.get("c:other"))
  })

  it("drops the oldest, says from where on it is complete, and until when that matters", () => {
    const window = new KeyWindow(2)
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`, 1_000 * version))
    assert.isUndefined(window.get("c:k0"))
    assert.deepStrictEqual([window.isWhole, window.coversFrom], [false, 1])
    assert.isFalse(window.isComplete(day, day), "the dropped key is exactly a day old")
    assert.isTrue(window.isComplete(day + 1, day))
  })

  it("keeps a command of two events as one key with its last version, and drops both together", () => {
    const window = new KeyWindow(2)
    window.add(event(0, "one"))
    window.add(event(1, "two"))
    window.add(event(2, "two"))
    assert.isTrue(window.isWhole)
    assert.strictEqual(window.get("c:two")?.version, 2)
    window.add(event(3, "three"))
    window.add(event(4, "four"))
    assert.isUndefined(window.get("c:two"))
    assert.strictEqual(window.coversFrom, 3)
  })

  it("drops an older key between the two events of one command and stays right", () => {
    const window = new KeyWindow(1)
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
      let window = new KeyWindow(capacity)
      const written: Array<RecordedEvent> = []
      commands.forEach((command, index) => {
        for (let n = 0; n < (command.two ? 2 : 1); n++) {
          const recorded = event(written.length, `k${index}`)
          written.push(recorded)
          window.add(recorded)
        }
        if (command.restart) {
          window = new KeyWindow(capacity, JSON.parse(JSON.stringify(window.state(inSnapshot))))
        }
        const last = new Map(written.map((recorded) => [recorded.metadata.key, recorded]))
        for (const recorded of last.values()) {
          const seen = window.get(recorded.metadata.key)
          if (recorded.version >= window.coversFrom) assert.strictEqual(seen?.version, recorded.version)
          if (seen !== undefined) assert.strictEqual(seen.fingerprint, recorded.metadata.fingerprint)
        }
        const uncovered = written.filter(({ version }) => version < window.coversFrom)
        const newest = Math.max(-1, ...uncovered.map(({ time }) => time))
        assert.strictEqual(window.isWhole, uncovered.length === 0)
        if (uncovered.length > 0) {
          assert.isFalse(window.isComplete(newest + 10, 10))
          assert.isTrue(window.isComplete(newest + 11, 10))
        }
      })
    }
  )
})
