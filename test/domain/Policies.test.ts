/** The policies that are shipped, and what policies are asked. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import type { Command } from "../../src/domain/Command.ts"
import { decide, defaultLimits } from "../../src/domain/Decide.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { evolve } from "../../src/domain/Evolve.ts"
import type { Fact } from "../../src/domain/Fact.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import * as Policies from "../../src/domain/Policies.ts"
import { type AnyPolicy, type Policy, questionsOf, spentIn } from "../../src/domain/Policy.ts"
import { PolicyFault, PolicySet, type WalletFacts } from "../../src/domain/PolicySet.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"

const note = { reference: null, metadata: noMetadata }
const dated = { ...note, effectiveAt: null }
const walletId = "a"

const create: Command = {
  _tag: "CreateWallet",
  walletId,
  ownerId: "o",
  currency: "EUR",
  overdraftLimit: 50n,
  metadata: noMetadata
}
const credit = (amount: bigint): Command => ({ _tag: "Credit", walletId, amount, ...dated })
const debit = (amount: bigint): Command => ({ _tag: "Debit", walletId, amount, force: null, ...dated })
const hold = (holdId: string, amount: bigint): Command => ({
  _tag: "PlaceHold",
  walletId,
  holdId,
  amount,
  expiresAt: null,
  ...note
})
const capture = (holdId: string, amount: bigint | null): Command => ({
  _tag: "CaptureHold",
  walletId,
  holdId,
  amount,
  final: false,
  effectiveAt: null
})
const send = (transferId: string, amount: bigint): Command => ({
  _tag: "SendTransfer",
  walletId,
  transferId,
  to: "b",
  amount,
  currency: "EUR",
  destination: null,
  ...dated
})
const reverse = (transferId: string): Command => ({ _tag: "ReverseTransfer", walletId, transferId, reason: "no" })
const receive = (amount: bigint): Command => ({
  _tag: "ReceiveTransfer",
  walletId,
  transferId: `t${amount}`,
  from: "b",
  amount,
  currency: "EUR",
  ...dated
})
const leg = (number: number, amount: bigint) =>
  ({
    leg: number,
    side: amount < 0n ? "sent" : "received",
    counterparty: "b",
    amount: amount < 0n ? -amount : amount,
    ...note
  }) as const
const legs = (transferId: string, ...amounts: ReadonlyArray<bigint>): Command => ({
  _tag: "PrepareLegs",
  walletId,
  transferId,
  home: "b",
  currency: "EUR",
  legs: amounts.map((amount, index) => leg(index + 3, amount)),
  effectiveAt: null
})
const apply = (transferId: string): Command => ({ _tag: "ApplyLegs", walletId, transferId })
const release = (transferId: string): Command => ({ _tag: "ReleaseLegs", walletId, transferId, reason: "no", leg: 1 })

/** One wallet under policies, as its owner has it. */
class Life {
  wallet: Wallet | undefined = undefined
  facts: WalletFacts
  time = 1_900_000_000_000
  private readonly set: PolicySet

  constructor(...policies: ReadonlyArray<AnyPolicy>) {
    this.set = new PolicySet(policies)
    this.facts = this.set.initial
  }

  /** What is said against it; `undefined`: it is done. */
  ask(command: Command): string | number | undefined {
    const decided = Result.getOrThrow(decide(this.wallet, command, { time: this.time, limits: defaultLimits }))
    const against = this.set.judge(questionsOf(this.wallet, command), this.time, this.facts)
    if (against instanceof PolicyFault) throw against.cause
    if (against !== undefined) return against.leg ?? against.policy
    for (const event of decided) this.record(event)
    return undefined
  }

  /** Whoever has written it. */
  record(event: RecordedEvent["event"]): void {
    const version = (this.wallet?.version ?? -1) + 1
    const metadata = {
      commandId: "",
      key: "c:k" as const,
      fingerprint: "",
      correlationId: null,
      causationId: null,
      actor: null,
      epoch: 1
    }
    const recorded = { id: `e${version}`, walletId, version, time: this.time, event, metadata }
    this.wallet = evolve(this.wallet, recorded)
    this.facts = this.set.foldAll(this.facts, [recorded]).facts
  }

  done(...commands: ReadonlyArray<Command>): this {
    for (const command of commands) assert.isUndefined(this.ask(command))
    return this
  }
}

const opened = (...policies: ReadonlyArray<AnyPolicy>) => new Life(...policies).done(create, credit(1_000n))

describe("velocity", () => {
  const velocity = () => opened(Policies.velocity({ amount: 100n, per: "100 millis", bucket: "10 millis" }))

  it("lets no more leave than its amount, in whichever way", () => {
    const life = velocity().done(hold("h", 70n), debit(40n), capture("h", 20n), send("t", 30n))
    assert.strictEqual(life.ask(debit(11n)), "velocity")
    assert.strictEqual(life.ask(send("t2", 11n)), "velocity")
    assert.strictEqual(life.ask(capture("h", null)), "velocity")
    life.done(hold("h2", 500n), credit(5n), receive(7n), debit(10n))
    assert.strictEqual(life.ask(debit(1n)), "velocity")
  })

  it("counts for the window, and up to a bucket longer", () => {
    const life = velocity().done(debit(100n))
    life.time += 100
    assert.strictEqual(life.ask(debit(1n)), "velocity")
    life.time += 10
    life.done(debit(100n))
  })

  it("counts what came back", () => {
    const life = velocity().done(send("t", 100n), reverse("t"))
    assert.strictEqual(life.wallet?.balance, 1_000n)
    assert.strictEqual(life.ask(debit(1n)), "velocity")
  })

  it("counts each leg on those before it, and what is promised until it is decided", () => {
    const life = velocity()
    assert.strictEqual(life.ask(legs("l", -60n, 500n, -41n)), 5)
    life.done(legs("l", -60n, 500n, -40n))
    life.time += 1_000
    assert.strictEqual(life.ask(debit(1n)), "velocity")
    life.done(apply("l"))
    life.time += 100
    assert.strictEqual(life.ask(debit(1n)), "velocity")
    life.time += 10
    life.done(legs("m", -100n), release("m"), debit(100n))
  })

  it("is refused a window that it cannot keep", () => {
    for (const [per, bucket] of [
      [0, 1],
      [10, 0],
      [10, 11],
      [601, 1],
      [Infinity, 1]
    ] as const)
      assert.throws(() => Policies.velocity({ amount: 1n, per, bucket }), /window/)
  })
})

describe("minBalance", () => {
  it("keeps what is not held at its amount", () => {
    const life = opened(Policies.minBalance({ amount: 100n })).done(hold("h", 300n), debit(400n), send("t", 100n))
    assert.strictEqual(life.ask(debit(101n)), "minBalance")
    assert.strictEqual(life.ask(hold("i", 101n)), "minBalance")
    assert.strictEqual(life.ask(send("u", 101n)), "minBalance")
    life.done(debit(100n), capture("h", 300n))
    assert.strictEqual(life.wallet?.balance, 100n)
  })

  it("lets legs pass on what the legs before them have brought", () => {
    const life = new Life(Policies.minBalance({ amount: 0n })).done(create)
    assert.strictEqual(life.ask(legs("l", 10n, -11n)), 4)
    life.done(legs("l", 10n, -10n))
    assert.strictEqual(life.ask(legs("m", -1n, 10n)), 3)
  })

  it("may be below zero, within the overdraft", () => {
    const life = new Life(Policies.minBalance({ amount: -20n })).done(create, debit(20n))
    assert.strictEqual(life.ask(debit(1n)), "minBalance")
  })
})

describe("maxBalance", () => {
  it("counts what may come back and what is promised", () => {
    const life = opened(Policies.maxBalance({ amount: 1_100n })).done(send("t", 200n))
    assert.strictEqual(life.ask(credit(101n)), "maxBalance")
    assert.strictEqual(life.ask(receive(101n)), "maxBalance")
    life.done(legs("l", 100n))
    assert.strictEqual(life.ask(credit(1n)), "maxBalance")
    life.done(reverse("t"), apply("l"))
    assert.strictEqual(life.wallet?.balance, 1_100n)
    life.done(debit(100n), legs("m", -100n, 200n))
  })
})

describe("allowedTypes", () => {
  it("lets transactions of these types be made, and all that makes none", () => {
    const life = opened(Policies.allowedTypes({ types: ["credit", "capture"] })).done(hold("h", 10n), capture("h", 5n))
    for (const command of [debit(1n), send("t", 1n), receive(1n)]) assert.strictEqual(life.ask(command), "allowedTypes")
    assert.strictEqual(life.ask(legs("l", 1n)), 3)
    life.done(
      { _tag: "ReleaseHold", walletId, holdId: "h" },
      { _tag: "Freeze", walletId, reason: null, direction: null, until: null },
      { _tag: "UpdateWallet", walletId, overdraftLimit: 0n, metadata: null }
    )
  })

  it("needs the type of a hold", () => {
    const life = opened(Policies.allowedTypes({ types: ["credit"] }))
    assert.strictEqual(life.ask(hold("h", 1n)), "allowedTypes")
  })
})

describe("policies", () => {
  it("are asked nothing of what the engine does by itself, or has been decided", () => {
    const never: Policy = { name: "never", version: "1", judge: () => ({ reason: "never" }) }
    const life = new Life()
    life.done(create, credit(100n), hold("h", 1n), send("t", 10n), legs("l", -1n), legs("m", -1n))
    const refusing = new PolicySet([never])
    const judged = (command: Command) => refusing.judge(questionsOf(life.wallet, command), life.time, refusing.initial)
    const engine: ReadonlyArray<Command> = [
      { _tag: "ExpireHold", walletId, holdId: "h" },
      { _tag: "RefuseTransfer", walletId, transferId: "x", from: "b", amount: 1n, reason: "no" },
      { _tag: "SettleTransfer", walletId, transferId: "t" },
      reverse("t"),
      { _tag: "RefuseLegs", walletId, transferId: "x", home: "b", leg: 0, reason: "no" },
      apply("l"),
      release("m"),
      { _tag: "SettleLegs", walletId, transferId: "l", transactions: [] }
    ]
    for (const command of engine) assert.isUndefined(judged(command), command._tag)
    for (const command of [
      create,
      credit(1n),
      debit(1n),
      hold("i", 1n),
      capture("h", 1n),
      send("u", 1n),
      receive(1n),
      legs("n", 1n)
    ])
      assert.deepInclude<object>(
        judged(command)!,
        { _tag: "PolicyRejected", policy: "never", reason: "never" },
        command._tag
      )
  })

  it("are asked in order, and the first that rejects has said it", () => {
    const asked: Array<string> = []
    const policy = (name: string, reason?: string): Policy => ({
      name,
      version: "1",
      judge: () => {
        asked.push(name)
        return reason === undefined ? undefined : { reason }
      }
    })
    const life = new Life(policy("first"), policy("second", "no"), policy("third", "no"))
    assert.strictEqual(life.ask(create), "second")
    assert.deepStrictEqual(asked, ["first", "second"])
  })

  it("have names, versions and bounds", () => {
    const good: Policy = { name: "good", version: "1", judge: () => undefined }
    const counting = (maxBytes: number, initial: Fact): AnyPolicy => ({
      ...good,
      facts: { initial, fold: (facts) => facts, maxBytes }
    })
    const wrong: ReadonlyArray<ReadonlyArray<AnyPolicy>> = [
      [good, good],
      [{ ...good, name: "" }],
      [{ ...good, name: "x".repeat(65) }],
      [{ ...good, version: "" }],
      [counting(0, null)],
      [counting(65_537, null)],
      [counting(10, "too long for it")],
      [counting(100, Number.NaN)],
      Array.from({ length: 17 }, (_, index) => ({ ...good, name: `p${index}` }))
    ]
    for (const policies of wrong) assert.throws(() => new PolicySet(policies))
    assert.strictEqual(
      new PolicySet([good, counting(100, null)].map((one, index) => ({ ...one, name: `p${index}` }))).policies.length,
      2
    )
  })

  it("keep their facts by name and version", () => {
    const counting = (version: string, maxBytes = 100): Policy<{ readonly count: number }> => ({
      name: "count",
      version,
      facts: { initial: { count: 0 }, fold: ({ count }) => ({ count: count + 1 }), maxBytes },
      judge: () => undefined
    })
    const other = Policies.velocity({ amount: 10n, per: "1 second" })
    const life = new Life(counting("1"), other).done(create, credit(100n), debit(7n))
    const set = new PolicySet([counting("1"), other])
    const kept: unknown = JSON.parse(JSON.stringify(set.encode(life.facts)))
    assert.deepStrictEqual(set.decode(kept), { facts: life.facts, missing: [] })
    const renewed = new PolicySet([other, counting("2")]).decode(kept)
    assert.deepStrictEqual(renewed.missing, [1])
    assert.deepStrictEqual(renewed.facts.values, [life.facts.values[1], { count: 0 }])
    for (const nothing of [undefined, null, 7, [7], [{ name: "count", version: "1", value: "?" }]])
      assert.deepStrictEqual(set.decode(nothing), { facts: set.initial, missing: [0, 1] })
    assert.deepStrictEqual(
      new PolicySet([counting("1", 40)]).decode([{ name: "count", version: "1", value: "t".repeat(50) }]).missing,
      [0]
    )
  })

  it("that cannot fold an event judge that wallet no more, until they have another version", () => {
    const fragile = (version: string): Policy<number> => ({
      name: "fragile",
      version,
      facts: {
        initial: 0,
        fold: (count, recorded) => {
          if (spentIn(recorded) === 13n) throw new Error("unlucky")
          return count + 1
        },
        maxBytes: 30
      },
      judge: () => undefined
    })
    const life = new Life(fragile("1")).done(create, credit(100n), debit(13n))
    assert.throws(() => life.ask(credit(1n)), /could not be folded/)
    const set = new PolicySet([fragile("1")])
    const kept: unknown = JSON.parse(JSON.stringify(set.encode(life.facts)))
    assert.deepStrictEqual(set.decode(kept), { facts: life.facts, missing: [] })
    assert.deepStrictEqual(new PolicySet([fragile("2")]).decode(kept).missing, [0])
  })

  it("that answer what is no answer have thrown", () => {
    const set = new PolicySet([{ name: "odd", version: "1", judge: () => Promise.resolve() as never }])
    assert.instanceOf(set.judge(questionsOf(undefined, create), 0, set.initial), PolicyFault)
  })
})
