import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { KeyFilterBudget } from "../../src/actors/KeyFilter.ts"
import { KeyWindow } from "../../src/actors/KeyWindow.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"

const event = (version: number, key: string, time = version): RecordedEvent => ({
  id: `${version}`,
  walletId: "a",
  version,
  time,
  event: { _tag: "WalletUnfrozen", reason: null, direction: null, balanceAfter: 0n, heldAfter: 0n },
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

const ample = () => new KeyFilterBudget(1024 * 1024)
/** No byte for a filter: what is dropped is forgotten. */
const none = () => new KeyFilterBudget(0)

describe("a wallet's window of keys", () => {
  it("knows every key while none was dropped", () => {
    const window = new KeyWindow(3, none())
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`))
    assert.strictEqual(window.coversFrom, 0)
    assert.deepInclude(window.get("c:k1"), { fingerprint: "f-k1", version: 1 })
    assert.isUndefined(window.get("c:other"))
    assert.isFalse(window.mayHaveForgotten("c:other"))
  })

  it("drops the oldest, and says from where on it is complete", () => {
    const window = new KeyWindow(2, none())
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`))
    assert.isUndefined(window.get("c:k0"))
    assert.strictEqual(window.coversFrom, 1)
    assert.isTrue(window.mayHaveForgotten("c:new"))
  })

  it("lets go of what it is told to, and leaves a trace of it", () => {
    const window = new KeyWindow(9, ample())
    for (const version of [0, 1, 2, 3]) window.add(event(version, `k${version}`))
    window.shrink(1)
    assert.deepStrictEqual([window.coversFrom, window.get("c:k2"), window.get("c:k3")?.version], [3, undefined, 3])
    assert.deepStrictEqual([window.filter?.toVersion, window.filter?.segments[0]?.count], [2, 3])
    assert.isTrue(window.mayHaveForgotten("c:k2"))
    assert.isFalse(window.mayHaveForgotten("c:new"))
  })

  it("keeps the order of last versions, whatever has a key more than once", () => {
    const window = new KeyWindow(2, ample())
    for (const [version, key] of ["one", "two", "one"].entries()) window.add(event(version, key))
    window.add(event(3, "three"))
    assert.deepStrictEqual([window.coversFrom, window.get("c:two"), window.get("c:one")?.version], [2, undefined, 2])
  })

  it("tells a new key from a dropped one by the trace that it left", () => {
    const window = new KeyWindow(2, ample())
    for (const version of [0, 1, 2]) window.add(event(version, `k${version}`))
    assert.isUndefined(window.get("c:k0"))
    assert.isTrue(window.mayHaveForgotten("c:k0"))
    assert.isFalse(window.mayHaveForgotten("c:new"))
    assert.isFalse(window.mayHaveForgotten("c:new"))
  })

  it("restored from a snapshot knows no trace of what the snapshot left out", () => {
    const whole = new KeyWindow(9, ample())
    for (const version of [0, 1, 2, 3]) whole.add(event(version, `k${version}`))
    const window = new KeyWindow(2, ample(), whole.state(2))
    assert.deepStrictEqual([window.coversFrom, window.get("c:k1"), window.get("c:k2")?.version], [2, undefined, 2])
    assert.isTrue(window.mayHaveForgotten("c:k1"))
    window.add(event(4, "k4"))
    assert.isTrue(window.mayHaveForgotten("c:k1"), "a trace of k2 says nothing of k1")
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
    "never takes a used key for a new one, also through snapshots and without memory for traces",
    {
      capacity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
      inSnapshot: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
      traces: Schema.Boolean,
      // Per command: how many events it has, and whether a snapshot is taken and read back after it.
      commands: Schema.Array(Schema.Struct({ two: Schema.Boolean, restart: Schema.Boolean }))
    },
    ({ capacity, commands, inSnapshot, traces }) => {
      const budget = traces ? ample() : none()
      let window = new KeyWindow(capacity, budget)
      const written: Array<RecordedEvent> = []
      commands.forEach((command, index) => {
        for (let n = 0; n < (command.two ? 2 : 1); n++) {
          const recorded = event(written.length, `k${index}`)
          written.push(recorded)
          window.add(recorded)
        }
        if (command.restart) {
          window.release()
          window = new KeyWindow(capacity, budget, JSON.parse(JSON.stringify(window.state(inSnapshot))))
        }
        const last = new Map(written.map((recorded) => [recorded.metadata.key, recorded]))
        for (const [key, { metadata, version }] of last) {
          const seen = window.get(key)
          if (seen !== undefined) assert.deepInclude(seen, { fingerprint: metadata.fingerprint, version })
          if (version >= window.coversFrom) assert.isDefined(seen, "it claims to have it")
          else assert.isTrue(window.mayHaveForgotten(key), "whatever its age")
        }
      })
    }
  )

  it("is a list of the last keys, after any additions and shrinkings", () => {
    const step = fc.oneof(
      { weight: 9, arbitrary: fc.record({ add: fc.nat(12) }) },
      { weight: 1, arbitrary: fc.record({ shrink: fc.nat(6) }) }
    )
    const law = fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      const window = new KeyWindow(capacity, none())
      let model: Array<readonly [key: string, fingerprint: string, version: number]> = []
      let coversFrom = 0
      const keepLast = (limit: number) => {
        while (model.length > limit) coversFrom = model.shift()![2] + 1
      }
      for (const [version, done] of steps.entries()) {
        if ("add" in done) {
          const { metadata, ...rest } = event(version, `k${done.add}`)
          const recorded = { ...rest, metadata: { ...metadata, fingerprint: `f-${version}` } }
          window.add(recorded)
          model = model.filter(([key]) => key !== recorded.metadata.key)
          model.push([recorded.metadata.key, recorded.metadata.fingerprint, version])
          keepLast(capacity)
        } else {
          window.shrink(done.shrink)
          keepLast(done.shrink)
        }
        assert.deepStrictEqual(window.state(9), { coversFrom, keys: model })
        assert.deepStrictEqual(new KeyWindow(capacity, none(), window.state(9)).bytes, window.bytes)
        for (let n = 0; n <= 12; n++) {
          const found = model.find(([key]) => key === `c:k${n}`)
          const known = found === undefined ? undefined : { fingerprint: found[1], version: found[2] }
          assert.deepStrictEqual(window.get(`c:k${n}`), known)
        }
      }
    })
    fc.assert(law, { numRuns: 300 })
  })
})
