/** The laws of a wallet, over random lives of one. */
import * as Result from "effect/Result"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import { decide } from "../../src/domain/Decide.ts"
import type { WalletEvent, WalletEventType } from "../../src/domain/Event.ts"
import { decodeEvent, encodeEvent, eventTypes, wireType } from "../../src/domain/EventCodec.ts"
import { evolve, fold } from "../../src/domain/Evolve.ts"
import { holdOf, holdProgressed } from "../../src/domain/Hold.ts"
import { holdChanges, transactionsOf, transferChanges } from "../../src/domain/EventKinds.ts"
import {
  available,
  type Hold,
  type OpenHold,
  type PreparedLegs,
  type TransactionType,
  type Transfer,
  type TransferInFlight,
  type Wallet
} from "../../src/domain/Wallet.ts"
import { refundedBy } from "../../src/domain/Refund.ts"
import { transferChanged } from "../../src/domain/Transfer.ts"
import { walletBytes } from "../../src/domain/WalletSize.ts"
import { decodeWallet, encodeWallet } from "../../src/domain/WalletCodec.ts"
import { record } from "./Examples.ts"
import { type Life, limits, live, lives, refundBound, reversalOfLast } from "./Lives.ts"

const lawful = (law: (life: Life) => void, numRuns = 400): void =>
  FastCheck.assert(
    FastCheck.property(lives, (steps) => law(live(steps))),
    { numRuns }
  )

/** Signed change of the balance by one event, said once more. */
const movement = (event: WalletEvent): bigint => {
  switch (event._tag) {
    case "WalletCredited":
    case "TransferReceived":
    case "TransferReversed":
    case "RefundReceived":
      return event.amount
    case "WalletDebited":
    case "HoldCaptured":
    case "HoldCapturedTo":
    case "TransferSent":
    case "RefundPaid":
      return -event.amount
    case "LegsApplied":
      return event.legs.reduce((sum, { amount, side }) => sum + (side === "sent" ? -amount : amount), 0n)
    case "OperationReversed":
      return event.balanceChange
    default:
      return 0n
  }
}

/** Of the events that move the balance, said once more. */
const transactionTypes: Readonly<Record<string, TransactionType>> = {
  WalletCredited: "credit",
  WalletDebited: "debit",
  HoldCaptured: "capture",
  HoldCapturedTo: "capture",
  TransferReceived: "transfer_in",
  TransferSent: "transfer_out",
  TransferReversed: "reversal",
  RefundReceived: "refund_in",
  RefundPaid: "refund_out",
  OperationReversed: "reversal"
}

/** A wallet as plain data, whose maps do not depend on their history. */
const plain = (wallet: Wallet): object => ({
  ...wallet,
  holds: HashMap.toValues(wallet.holds).toSorted((one: OpenHold, other: OpenHold) => (one.id < other.id ? -1 : 1)),
  transfers: HashMap.toValues(wallet.transfers).toSorted((one: TransferInFlight, other: TransferInFlight) =>
    one.id < other.id ? -1 : 1
  ),
  prepared: HashMap.toValues(wallet.prepared).toSorted((one: PreparedLegs, other: PreparedLegs) =>
    one.id < other.id ? -1 : 1
  )
})

describe("over any life of a wallet", () => {
  it("much happens: every event, many times, so that the laws below are put to the test", () => {
    const counts = new Map<WalletEventType, number>(eventTypes.map((type) => [type, 0]))
    lawful(({ log }) => {
      for (const { event } of log) counts.set(event._tag, (counts.get(event._tag) ?? 0) + 1)
    }, 1_200)
    for (const [type, count] of counts) assert.isAtLeast(count, 10, type)
  })

  it("the balance is the sum of its movements", () => {
    lawful(({ log, states }) => {
      let balance = 0n
      log.forEach(({ event }, version) => {
        balance += movement(event)
        assert.strictEqual(states[version]?.balance, balance)
        assert.strictEqual(event.balanceAfter, balance)
      })
    })
  })

  it("what is held is the sum of the open holds and of what is in transit, and every hold adds up", () => {
    lawful(({ log, states }) => {
      states.forEach((wallet, version) => {
        let held = 0n
        for (const hold of HashMap.values(wallet.holds)) {
          const captures = HashMap.toValues(wallet.transfers).filter(({ capture }) => capture?.holdId === hold.id)
          const inFlight = captures.reduce((sum, { amount }) => sum + amount, 0n)
          const rest = captures.reduce((sum, { capture }) => sum + (capture?.rest ?? 0n), 0n)
          if (hold.ended === null) assert.strictEqual(hold.captured + hold.remaining + rest, hold.amount)
          else assert.isTrue(hold.captured <= hold.amount && hold.remaining === 0n && inFlight > 0n)
          assert.isTrue(hold.remaining > 0n || inFlight > 0n)
          assert.strictEqual(hold.inFlight ?? 0n, inFlight)
          held += hold.remaining
        }
        for (const { capture } of HashMap.values(wallet.transfers)) held += capture?.rest ?? 0n
        for (const legs of HashMap.values(wallet.prepared)) held += legs.held
        assert.strictEqual(wallet.held, held)
        assert.strictEqual(log[version]?.event.heldAfter, held)
      })
    })
  })

  it("available is never negative, but by a forced debit", () => {
    let below = 0
    lawful(({ log, states }) => {
      states.forEach((wallet, version) => {
        if (available(wallet) >= 0n) return
        below++
        const { event } = log[version]!
        if (event._tag === "WalletDebited" && event.forced === true) return
        const before = states[version - 1] as Wallet
        // Nothing takes what is not there: it comes no further down, but by the reversal of what came in meanwhile.
        const undone = event._tag === "OperationReversed" ? states[event.reversedVersion - 1] : undefined
        assert.isTrue(available(undone ?? before) < 0n, `${event._tag} at version ${version}`)
        if (undone === undefined) assert.isTrue(available(wallet) >= available(before), event._tag)
      })
    })
    assert.isAbove(below, 50)
    lawful(({ states }) => {
      for (const wallet of states) assert.isTrue(wallet.held >= 0n)
    })
  })

  it("the version counts the events and times never go back", () => {
    lawful(({ states }) => {
      states.forEach((wallet, version) => {
        assert.strictEqual(wallet.version, version)
        assert.isTrue(wallet.updatedAt >= (states[version - 1]?.updatedAt ?? 0))
        assert.strictEqual(wallet.createdAt, 0)
      })
    })
  })

  it("no bound is exceeded", () => {
    lawful(({ states }) => {
      for (const wallet of states) {
        assert.isAtMost(walletBytes(wallet), limits.stateBytes)
      }
    })
  })

  it("a closed wallet is empty", () => {
    lawful(({ states }) => {
      for (const wallet of states.filter(({ status }) => status === "closed")) {
        assert.strictEqual(wallet.balance, 0n)
        assert.isTrue(
          HashMap.isEmpty(wallet.holds) && HashMap.isEmpty(wallet.transfers) && HashMap.isEmpty(wallet.prepared)
        )
      }
    })
  })

  it("a reversal undoes exactly one event and restores all but version and time", () => {
    let reversals = 0
    lawful((life) => {
      const before = life.states.at(-2)
      const wallet = life.states.at(-1) as Wallet
      if (before === undefined) return
      const time = wallet.updatedAt
      const decision = decide(wallet, reversalOfLast(life), { time, limits })
      if (Result.isFailure(decision)) {
        const engine = [
          "HoldExpired",
          "TransferRefused",
          "TransferSettled",
          "TransferReversed",
          "OperationReversed"
        ].concat(["LegsRefused", "LegsApplied", "LegsReleased", "LegsSettled", "FreezeExpired"])
        assert.include(engine, life.log.at(-1)?.event._tag)
        return
      }
      reversals++
      assert.lengthOf(decision.success, 1)
      const event = decision.success[0] as WalletEvent
      const after = evolve(wallet, record(wallet.version + 1, event, time))
      assert.deepStrictEqual({ ...plain(after), version: before.version, updatedAt: before.updatedAt }, plain(before))
    })
    assert.isAbove(reversals, 100)
  })

  it("every event and every state can be written and read back", () => {
    lawful(({ log, states }) => {
      for (const { event } of log) {
        assert.deepStrictEqual(decodeEvent(wireType(event), encodeEvent(event)), Result.succeed(event))
      }
      for (const wallet of states) {
        const decoded = decodeWallet(JSON.parse(JSON.stringify(encodeWallet(wallet))))
        assert.isTrue(Result.isSuccess(decoded))
        if (Result.isSuccess(decoded)) assert.deepStrictEqual(plain(decoded.success), plain(wallet))
      }
    })
  })

  it("a state and the events after it give what all the events give", () => {
    lawful(({ log, states }) => {
      const middle = Math.floor(states.length / 2)
      const all = fold(undefined, log) as Wallet
      assert.deepStrictEqual(plain(all), plain(states.at(-1) as Wallet))
      assert.deepStrictEqual(plain(fold(states[middle], log.slice(middle + 1)) as Wallet), plain(all))
    })
  })

  it("the transactions tell the movements of the balance, and nothing else", () => {
    lawful(({ log, states }) => {
      for (const recorded of log) {
        const moved = movement(recorded.event)
        const { event } = recorded
        if (event._tag === "LegsApplied") {
          const made = transactionsOf(recorded, states[0] as Wallet)
          let balance = event.balanceAfter - moved
          assert.lengthOf(made, event.legs.length)
          for (const { amount, balanceAfter, type } of made) {
            balance += type === "transfer_out" ? -amount : amount
            assert.strictEqual(balanceAfter, balance)
          }
          assert.strictEqual(balance, event.balanceAfter)
          assert.strictEqual(made[0]!.id, recorded.id)
          assert.lengthOf(new Set(made.map(({ id }) => id)), made.length)
          continue
        }
        const [transaction] = transactionsOf(recorded, states[0] as Wallet)
        assert.strictEqual(transaction?.amount ?? 0n, moved < 0n ? -moved : moved)
        assert.strictEqual(transaction?.type, moved === 0n ? undefined : transactionTypes[recorded.event._tag])
        assert.strictEqual(transaction?.balanceAfter ?? recorded.event.balanceAfter, recorded.event.balanceAfter)
      }
    })
  })

  it("the holds of readers are the open holds, however the events are cut into commits", () => {
    FastCheck.assert(
      FastCheck.property(lives, FastCheck.integer({ min: 1, max: 9 }), (steps, size) => {
        const { log, states } = live(steps)
        const rows = new Map<string, Hold>()
        for (let first = 0; first < log.length; first += size) {
          for (const change of holdChanges({ events: log.slice(first, first + size) })) {
            if (change._tag === "Placed") {
              rows.set(change.hold.id, change.hold)
              continue
            }
            rows.set(change.holdId, holdProgressed(rows.get(change.holdId) as Hold, change))
          }
        }
        const active = [...rows.values()].filter(({ status }) => status === "active")
        const wallet = states.at(-1) as Wallet
        assert.sameDeepMembers(
          active,
          HashMap.toValues(wallet.holds).flatMap((hold) => (hold.remaining > 0n ? [holdOf(wallet.id, hold)] : []))
        )
        for (const hold of HashMap.values(wallet.holds)) {
          const { amount, captured, remaining, status } = rows.get(hold.id) as Hold
          assert.deepStrictEqual(
            { amount, captured, remaining },
            { amount: hold.amount, captured: hold.captured, remaining: hold.remaining }
          )
          assert.strictEqual(status === "active", remaining > 0n)
        }
        for (const row of rows.values()) if (row.status !== "active") assert.strictEqual(row.remaining, 0n)
      }),
      { numRuns: 400 }
    )
  })

  it("nothing is refunded beyond its original, and what a reversal or a refusal brings back may be refunded again", () => {
    let again = 0
    FastCheck.assert(
      FastCheck.property(lives, (steps) => {
        const { log, states } = live(steps)
        const refunded = new Map<string, bigint>()
        const add = ({ leg, of }: { readonly of: string; readonly leg: number }, amount: bigint): void => {
          const sum = (refunded.get(`${of} ${leg}`) ?? 0n) + amount
          refunded.set(`${of} ${leg}`, sum)
          assert.isTrue(sum >= 0n && sum <= refundBound.amount, `${sum} of ${of}`)
        }
        const made = (event: WalletEvent) => {
          if (event._tag === "RefundReceived" || event._tag === "RefundPaid")
            return [{ refund: { of: event.refundOf, leg: 0 }, amount: event.amount }]
          if (event._tag === "TransferSent") return [event]
          return event._tag === "LegsPrepared" ? event.legs : []
        }
        for (const { event, version } of log) {
          for (const { amount, refund } of made(event)) if (refund !== null) add(refund, amount)
          const before = states[version - 1]
          const back =
            event._tag === "OperationReversed"
              ? made(log[event.reversedVersion]!.event)
              : event._tag === "TransferReversed"
                ? Option.toArray(HashMap.get(before!.transfers, event.transferId))
                : event._tag === "LegsReleased"
                  ? Option.toArray(HashMap.get(before!.prepared, event.transferId)).flatMap(({ legs }) => legs)
                  : []
          for (const { amount, refund } of back) {
            if (refund === null) continue
            add(refund, -amount)
            again++
          }
        }
        for (const [name, sum] of refunded) {
          const [of = "", leg] = name.split(" ")
          const wallet = states.at(-1) as Wallet
          assert.strictEqual(refundedBy(wallet.refunds, { of, leg: Number(leg) }, refundBound), sum)
        }
      }),
      { numRuns: 600 }
    )
    assert.isAbove(again, 20)
  })

  it("the transfers of readers are pending while in flight, however the events are cut into commits", () => {
    let ended = 0
    FastCheck.assert(
      FastCheck.property(lives, FastCheck.integer({ min: 1, max: 9 }), (steps, size) => {
        const { log, states } = live(steps)
        const rows = new Map<string, Transfer>()
        for (let first = 0; first < log.length; first += size) {
          for (const change of transferChanges({ events: log.slice(first, first + size) })) {
            if (change._tag === "Sent") {
              rows.set(change.transfer.id, change.transfer)
              continue
            }
            rows.set(change.transferId, transferChanged(rows.get(change.transferId) as Transfer, change))
          }
        }
        const pending = [...rows.values()].filter(({ status }) => status === "pending")
        const given = new Set(
          log.flatMap(({ event }) =>
            (event._tag === "TransferSent" || event._tag === "HoldCapturedTo") && event.effectiveAt !== null
              ? [event.transferId]
              : []
          )
        )
        assert.sameDeepMembers(
          pending.flatMap(({ id, to }) => (to === null ? [id] : [])),
          HashMap.toValues((states.at(-1) as Wallet).prepared).flatMap(({ begun, id }) => (begun === null ? [] : [id]))
        )
        const ofOneLeg = pending.filter(({ to }) => to !== null)
        assert.sameDeepMembers<object>(
          ofOneLeg.map(({ amount, createdAt, effectiveAt, id, legs, metadata, reference, to }) => ({
            id,
            to,
            amount,
            reference,
            metadata,
            // One that was given may be the very time of its event.
            effectiveAt: given.has(id) ? effectiveAt : null,
            refund: legs[0]!.refund,
            createdAt
          })),
          HashMap.toValues((states.at(-1) as Wallet).transfers).map(({ capture: _, ...transfer }) => transfer)
        )
        ended += rows.size - pending.length
        for (const row of rows.values()) {
          assert.isTrue(row.updatedAt >= row.createdAt)
          assert.strictEqual(row.reason === null, row.status !== "reversed")
        }
      }),
      { numRuns: 400 }
    )
    assert.isAbove(ended, 50)
  })
})
