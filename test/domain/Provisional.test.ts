/** What may still be undone can be undone, whatever was done beside it. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import type { Command } from "../../src/domain/Command.ts"
import { decide } from "../../src/domain/Decide.ts"
import type { RecordedEvent, WalletEvent } from "../../src/domain/Event.ts"
import { evolve, fold } from "../../src/domain/Evolve.ts"
import { amountLimit, balanceLimit } from "../../src/domain/Limits.ts"
import { isReversible } from "../../src/domain/EventKinds.ts"
import { Provisional } from "../../src/domain/Provisional.ts"
import { available, type Wallet } from "../../src/domain/Wallet.ts"
import { growth, maxOpenBytes, walletBytes } from "../../src/domain/WalletSize.ts"
import { command, event, record, walletOf } from "./Examples.ts"

/** Some six holds and transfers: a reversed capture gives its hold back, and has to find room. */
const limits = { stateBytes: 2_800 }

/** A command that took place. */
interface Done {
  readonly command: Command
  readonly time: number
  readonly events: ReadonlyArray<RecordedEvent>
  readonly before: ReadonlyArray<Wallet | undefined>
}

/** A wallet behind which a Persistence decides, command by command, in order. */
class Life {
  readonly provisional = new Provisional()
  wallet: Wallet | undefined
  /** Accepted by Persistence, or facts. */
  readonly accepted: Array<Done> = []
  undecided: Array<Done> = []
  /** Whether it has had a forced debit. */
  get forced(): boolean {
    return [...this.accepted, ...this.undecided].some(
      ({ command: done }) => done._tag === "Debit" && done.force === true
    )
  }
  time = 0

  /** `false`: rejected, or it has to wait. */
  ask(asked: Command): boolean {
    const decision = decide(this.wallet, asked, { time: this.time, limits })
    if (Result.isFailure(decision) || decision.success.length === 0) return false
    const done = this.record(asked, decision.success)
    const after = fold(this.wallet, done.events)!
    if (this.provisional.carries(decision.success, after)) return false
    const grown = growth(this.wallet, after)
    if (grown > 0 && this.provisional.crowds(walletBytes(after), limits.stateBytes)) return false
    this.wallet = after
    for (const recorded of done.events) this.provisional.add(recorded.event, -grown)
    this.undecided.push(done)
    return true
  }

  accept(commands: number): void {
    for (const done of this.undecided.splice(0, commands)) {
      for (const recorded of done.events) this.provisional.remove(recorded.event)
      this.accepted.push(done)
    }
  }

  /** The state after all events of these commands were reversed, in the order of the events given. */
  reversed(events: ReadonlyArray<readonly [RecordedEvent, Wallet | undefined]>): Wallet {
    let wallet = this.wallet!
    for (const [operation, before] of events) {
      const undone = decide(wallet, command("ReverseOperation", { operation, before }), { time: this.time, limits })
      if (Result.isFailure(undone)) throw new Error(`${operation.event._tag}: ${undone.failure.message}`)
      wallet = fold(wallet, [record(wallet.version + 1, undone.success[0]!, this.time)])!
      assert.isTrue(this.forced || available(wallet) >= 0n, "available never becomes negative")
      assert.isTrue(wallet.held >= 0n)
      assert.isAtMost(walletBytes(wallet), limits.stateBytes, "there is room for what comes back")
    }
    return wallet
  }

  private record(asked: Command, events: ReadonlyArray<WalletEvent>): Done {
    const before: Array<Wallet | undefined> = []
    const recorded: Array<RecordedEvent> = []
    let wallet = this.wallet
    for (const one of events) {
      before.push(wallet)
      recorded.push(record((wallet?.version ?? -1) + 1, one, this.time))
      wallet = evolve(wallet, recorded[recorded.length - 1]!)
    }
    return { command: asked, time: this.time, events: recorded, before }
  }
}

type Step =
  | { readonly _tag: "Command"; readonly command: Command; readonly pause: number }
  | { readonly _tag: "Accept"; readonly commands: number }

const amount = FastCheck.bigInt({ min: 1n, max: 60n })
const holdId = FastCheck.constantFrom("hold-1", "hold-2", "hold-3", "hold-4")
const transferId = FastCheck.constantFrom("transfer-1", "transfer-2", "transfer-3")
const metadata = FastCheck.constantFrom({ a: "1" }, { a: "2" }, { b: "1" })
const limit = FastCheck.bigInt({ min: 0n, max: 80n })

const commands: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  { weight: 6, arbitrary: amount.map((given) => command("Credit", { amount: given })) },
  { weight: 6, arbitrary: amount.map((given) => command("Debit", { amount: given })) },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      amount,
      holdId,
      expiresAt: FastCheck.option(FastCheck.integer({ min: 1, max: 60 }))
    }).map((given) => command("PlaceHold", given))
  },
  {
    weight: 5,
    arbitrary: FastCheck.record({ amount: FastCheck.option(amount), holdId, final: FastCheck.boolean() }).map((given) =>
      command("CaptureHold", given)
    )
  },
  { weight: 1, arbitrary: amount.map((given) => command("Debit", { amount: given, force: true })) },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      amount: FastCheck.option(amount),
      holdId,
      transferId,
      final: FastCheck.boolean()
    }).map((given) => command("CaptureHoldTo", given))
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      holdId,
      amount: FastCheck.option(amount),
      expiry: FastCheck.option(FastCheck.record({ at: FastCheck.option(FastCheck.integer({ min: 1, max: 90 })) }))
    }).map((given) => command("ChangeHold", given))
  },
  { weight: 3, arbitrary: holdId.map((id) => command("ReleaseHold", { holdId: id })) },
  { weight: 2, arbitrary: holdId.map((id) => command("ExpireHold", { holdId: id })) },
  { weight: 4, arbitrary: FastCheck.record({ amount, transferId }).map((given) => command("SendTransfer", given)) },
  { weight: 3, arbitrary: amount.map((given) => command("ReceiveTransfer", { amount: given })) },
  { weight: 1, arbitrary: FastCheck.constant(command("RefuseTransfer")) },
  { weight: 2, arbitrary: transferId.map((id) => command("SettleTransfer", { transferId: id })) },
  { weight: 2, arbitrary: transferId.map((id) => command("ReverseTransfer", { transferId: id })) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      direction: FastCheck.constantFrom(null, "credits", "all"),
      until: FastCheck.option(FastCheck.integer({ min: 1, max: 90 }), { freq: 1 })
    }).map((given) => command("Freeze", given))
  },
  { weight: 2, arbitrary: FastCheck.integer({ min: 1, max: 90 }).map((until) => command("ExpireFreeze", { until })) },
  { weight: 3, arbitrary: FastCheck.constant(command("Unfreeze")) },
  { weight: 2, arbitrary: FastCheck.constant(command("Close")) },
  {
    weight: 3,
    arbitrary: FastCheck.record({ overdraftLimit: FastCheck.option(limit), metadata: FastCheck.option(metadata) })
      .filter((given) => given.overdraftLimit !== null || given.metadata !== null)
      .map((given) => command("UpdateWallet", given))
  }
)

const steps: FastCheck.Arbitrary<ReadonlyArray<Step>> = FastCheck.array(
  FastCheck.oneof(
    {
      weight: 5,
      arbitrary: FastCheck.record({ command: commands, pause: FastCheck.nat(6) }).map((given): Step => ({
        _tag: "Command",
        ...given
      }))
    },
    { weight: 1, arbitrary: FastCheck.integer({ min: 1, max: 4 }).map((n): Step => ({ _tag: "Accept", commands: n })) }
  ),
  { minLength: 4, maxLength: 50 }
)

const live = (given: ReadonlyArray<Step>): Life => {
  const life = new Life()
  life.ask(command("CreateWallet", { overdraftLimit: 20n }))
  life.accept(1)
  for (const step of given) {
    if (step._tag === "Accept") life.accept(step.commands)
    else {
      life.time += step.pause
      life.ask(step.command)
    }
  }
  return life
}

const byId = (one: { readonly id: string }, other: { readonly id: string }) => (one.id < other.id ? -1 : 1)

/** What a reversal restores: everything but versions and times of events. */
const substance = (wallet: Wallet) => ({
  ...wallet,
  version: 0,
  updatedAt: 0,
  holds: HashMap.toValues(wallet.holds).toSorted(byId),
  transfers: HashMap.toValues(wallet.transfers).toSorted(byId)
})

/** Picks some of a list and puts them into some order, by random numbers. */
const shuffled = <A>(list: ReadonlyArray<A>, numbers: ReadonlyArray<number>): ReadonlyArray<A> =>
  list
    .map((value, index) => ({ value, at: numbers[index % numbers.length]! * ((index * 7) % 11 || 1) }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ value }) => value)

const numbers = FastCheck.array(FastCheck.nat(1_000), { minLength: 7, maxLength: 30 })

describe("what may still be undone", () => {
  it("can be: any part of it, in any order; the wallet is then as if that had never been asked for", () => {
    FastCheck.assert(
      FastCheck.property(steps, numbers, (given, order) => {
        const life = live(given)
        const reversible = life.undecided.filter(({ events }) => events.every(({ event: one }) => isReversible(one)))
        const undone = reversible.filter((_, index) => order[index % order.length]! % 2 === 0)
        const operations = undone.flatMap(({ before, events }) =>
          events.map((recorded, index) => [recorded, before[index]] as const)
        )
        const after = life.reversed(shuffled(operations, order))
        const asIf = new Life()
        for (const done of [...life.accepted, ...life.undecided]) {
          if (undone.includes(done)) continue
          asIf.time = done.time
          const asked = asIf.ask(done.command)
          assert.isTrue(asked, `${done.command._tag} builds on nothing that was undone`)
          asIf.accept(1)
        }
        assert.deepStrictEqual(substance(after), substance(asIf.wallet!))
      }),
      { numRuns: 1_500 }
    )
  })

  it("is nothing once all is decided: then no command has to wait", () => {
    FastCheck.assert(
      FastCheck.property(steps, commands, (given, next) => {
        const life = live(given)
        life.accept(Number.POSITIVE_INFINITY)
        assert.strictEqual(life.provisional.size, 0)
        const decision = decide(life.wallet, next, { time: life.time, limits })
        if (Result.isFailure(decision)) return
        assert.isFalse(life.provisional.carries(decision.success, life.wallet!))
      })
    )
  })
})

const after = walletOf([event("WalletCreated"), event("WalletCredited", { amount: 100n, balanceAfter: 100n })])

/** May still be undone · would be done · whether it waits, with 100 available after it. */
const table: ReadonlyArray<readonly [WalletEvent, WalletEvent, boolean]> = [
  [event("WalletCreated"), event("WalletCredited"), true],
  [event("WalletCreated"), event("TransferRefused"), true],
  [event("WalletCreated"), event("NothingChanged"), true],
  [event("WalletCreated"), event("NothingChanged", { command: "UpdateWallet" }), true],
  [event("WalletCreated"), event("OperationReversed"), false],
  [event("WalletCredited", { amount: 100n }), event("WalletDebited"), false],
  [event("WalletCredited", { amount: 101n }), event("WalletDebited"), true],
  [event("WalletCredited", { amount: 101n }), event("HoldPlaced"), true],
  [event("WalletCredited", { amount: 101n }), event("TransferSent"), true],
  [event("WalletCredited", { amount: 101n }), event("OverdraftLimitChanged", { previousLimit: 1n }), true],
  [event("WalletCredited", { amount: 99n }), event("OverdraftLimitChanged", { overdraftLimit: 1n }), false],
  [event("WalletCredited", { amount: 90n }), event("WalletCredited", { amount: 10n }), false],
  // Without both there would be less than nothing: a forced debit's debt, which they fill.
  [event("WalletCredited", { amount: 91n }), event("WalletCredited", { amount: 10n }), true],
  [event("WalletCredited", { amount: 101n }), event("HoldCaptured"), false],
  [event("WalletCredited", { amount: 101n }), event("WalletFrozen"), false],
  [event("WalletCredited"), event("WalletClosed"), true],
  [event("TransferReceived", { amount: 101n }), event("WalletDebited"), true],
  [event("HoldReleased", { amount: 101n }), event("WalletDebited"), true],
  [event("HoldCaptured", { released: 101n }), event("WalletDebited"), true],
  [event("OverdraftLimitChanged", { overdraftLimit: 101n }), event("WalletDebited"), true],
  [event("WalletDebited", { amount: 1_000n }), event("WalletDebited"), false],
  [event("HoldPlaced"), event("HoldCaptured"), true],
  [event("HoldPlaced"), event("HoldReleased"), true],
  [event("HoldPlaced"), event("HoldExpired"), true],
  [event("HoldPlaced"), event("HoldCaptured", { holdId: "another" }), false],
  [event("HoldCaptured"), event("HoldCaptured"), true],
  [event("HoldCaptured"), event("HoldReleased"), true],
  [event("HoldCaptured"), event("HoldExpired"), true],
  [event("TransferSent"), event("TransferSettled"), true],
  [event("TransferSent"), event("TransferReversed"), true],
  [event("TransferSent"), event("TransferSettled", { transferId: "another" }), false],
  [event("TransferReceived"), event("TransferRefused"), false],
  [event("WalletFrozen"), event("WalletUnfrozen"), true],
  [event("WalletFrozen"), event("NothingChanged"), true],
  [event("WalletFrozen"), event("NothingChanged", { command: "UpdateWallet" }), false],
  [event("WalletFrozen"), event("WalletCredited"), false],
  [event("WalletFrozen"), event("HoldReleased"), false],
  [event("WalletUnfrozen"), event("WalletFrozen"), true],
  [event("WalletUnfrozen"), event("WalletDebited"), true],
  [event("WalletUnfrozen"), event("HoldPlaced"), true],
  [event("WalletUnfrozen"), event("HoldCaptured"), true],
  [event("WalletUnfrozen"), event("TransferSent"), true],
  [event("WalletUnfrozen"), event("WalletCredited"), false],
  [event("WalletUnfrozen", { direction: "credits" }), event("TransferReceived"), true],
  [event("WalletFrozen"), event("FreezeExpired"), true],
  [event("WalletCredited", { amount: 101n }), event("HoldChanged", { amount: 11n }), true],
  [event("WalletCredited", { amount: 101n }), event("HoldCapturedTo"), false],
  [event("HoldChanged", { previousAmount: 111n }), event("WalletDebited"), true],
  [event("HoldPlaced"), event("HoldChanged"), true],
  [event("HoldChanged"), event("HoldCapturedTo"), true],
  [event("HoldCapturedTo"), event("HoldReleased"), true],
  [event("HoldCapturedTo"), event("TransferSettled", { holdId: "hold-1" }), true],
  [event("HoldCapturedTo"), event("TransferReversed", { transferId: "another", holdId: "hold-1" }), true],
  [event("HoldCapturedTo"), event("TransferSettled", { transferId: "another", holdId: "hold-2" }), false],
  [event("WalletUnfrozen"), event("NothingChanged", { command: "Unfreeze" }), true],
  [event("MetadataChanged"), event("MetadataChanged"), true],
  [event("MetadataChanged"), event("OverdraftLimitChanged"), false],
  [event("MetadataChanged"), event("NothingChanged"), false],
  [event("MetadataChanged"), event("NothingChanged", { command: "UpdateWallet" }), true],
  [event("OverdraftLimitChanged"), event("NothingChanged", { command: "UpdateWallet" }), true],
  [event("NothingChanged"), event("WalletUnfrozen"), false],
  [event("NothingChanged"), event("WalletDebited"), false],
  [event("OverdraftLimitChanged"), event("OverdraftLimitChanged"), true],
  [event("OverdraftLimitChanged"), event("MetadataChanged"), false],
  [event("WalletClosed"), event("TransferRefused"), false],
  [event("WalletClosed"), event("NothingChanged"), true],
  [event("WalletClosed"), event("OperationReversed"), false]
]

/** May be undone, and nothing of these builds on it. */
const bystander = event("WalletDebited", { amount: 1n })

const facts: ReadonlyArray<WalletEvent> = [
  event("HoldExpired", { amount: 1_000n }),
  event("FreezeExpired"),
  event("TransferRefused"),
  event("TransferSettled"),
  event("TransferReversed", { amount: 1_000n }),
  event("OperationReversed")
]

describe("a command", () => {
  for (const [undecided, next, waits] of table) {
    const what = next._tag === "NothingChanged" ? `${next.command} that finds nothing to do` : next._tag
    it(`${what} ${waits ? "waits for" : "does not wait for"} ${undecided._tag}`, () => {
      const provisional = new Provisional()
      provisional.add(undecided)
      const events = [next]
      assert.strictEqual(provisional.carries(events, after), waits)
      provisional.remove(undecided)
      assert.isFalse(provisional.carries(events, after), "nothing is left to wait for")
      // To close waits for whatever is undecided.
      if (next._tag === "WalletClosed") return
      provisional.add(bystander)
      provisional.add(undecided)
      assert.strictEqual(provisional.carries(events, after), waits, "whatever else is undecided")
      provisional.remove(undecided)
      assert.isFalse(provisional.carries(events, after), "nothing of it is left")
    })
  }

  it("waits for nothing that the engine did: those are facts", () => {
    for (const fact of facts) {
      const provisional = new Provisional()
      provisional.add(fact)
      assert.strictEqual(provisional.size, 0, fact._tag)
      assert.isFalse(provisional.carries([event("WalletDebited"), event("WalletClosed")], after), fact._tag)
    }
  })

  it("waits for a hold as long as anything of it is undecided", () => {
    const [placed, captured] = [event("HoldPlaced"), event("HoldCaptured")]
    const provisional = new Provisional()
    for (const one of [bystander, placed, captured]) provisional.add(one)
    assert.strictEqual(provisional.size, 3)
    provisional.remove(placed)
    assert.isTrue(provisional.carries([event("HoldReleased")], after))
    provisional.remove(captured)
    assert.strictEqual(provisional.size, 1)
    assert.isFalse(provisional.carries([event("HoldReleased")], after))
  })

  it("is told which transfers may still be unsent", () => {
    const provisional = new Provisional()
    provisional.add(event("TransferSent", { transferId: "t1" }))
    assert.isTrue(provisional.hasSent("t1"))
    assert.isFalse(provisional.hasSent("t2"))
    provisional.remove(event("TransferSent", { transferId: "t1" }))
    assert.isFalse(provisional.hasSent("t1"))
  })

  it("that takes room at the bound of a balance waits for what might come back", () => {
    const provisional = new Provisional()
    provisional.add(event("WalletDebited", { amount: 100n }))
    const near = { ...after, balance: balanceLimit - 100n }
    assert.isTrue(provisional.carries([event("WalletCredited")], near))
    assert.isTrue(provisional.carries([event("TransferReceived")], near))
    assert.isFalse(provisional.carries([event("WalletCredited")], { ...near, balance: near.balance - 1n }))
    for (const given of [event("WalletDebited"), event("MetadataChanged"), event("HoldReleased")]) {
      assert.isFalse(provisional.carries([given], near), `${given._tag} takes no room`)
    }
    const sent = walletOf([event("WalletCreated"), event("TransferSent")])
    const room = balanceLimit - amountLimit - 100n
    assert.isTrue(provisional.carries([event("WalletCredited")], { ...sent, balance: room }))
    assert.isFalse(provisional.carries([event("WalletCredited")], { ...sent, balance: room - 1n }))
  })

  it("that takes room waits for whatever could raise the balance again, and no longer", () => {
    const near = { ...after, balance: balanceLimit - 100n }
    for (const spent of [
      event("WalletDebited", { amount: 100n }),
      event("TransferSent", { amount: 100n }),
      event("HoldCaptured", { amount: 100n })
    ]) {
      const provisional = new Provisional()
      provisional.add(event("MetadataChanged"))
      assert.isFalse(provisional.carries([event("WalletCredited")], near))
      provisional.add(spent)
      assert.isTrue(provisional.carries([event("WalletCredited")], near), spent._tag)
      provisional.remove(spent)
      assert.isFalse(provisional.carries([event("WalletCredited")], near), spent._tag)
    }
  })

  it("keeps the room of what a reversal may put back, the largest where it is not known", () => {
    const provisional = new Provisional()
    const known = event("HoldReleased")
    provisional.add(known, 400)
    assert.isFalse(provisional.crowds(600, 1_000))
    assert.isTrue(provisional.crowds(601, 1_000))
    const unknown = event("HoldCaptured", { remainingAfter: 0n })
    provisional.add(unknown)
    assert.isTrue(provisional.crowds(0, maxOpenBytes))
    provisional.remove(known)
    provisional.remove(unknown)
    assert.isFalse(provisional.crowds(1_000, 1_000))
  })
})
