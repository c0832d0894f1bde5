import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { layerEngine } from "../../src/load/EngineTarget.ts"
import { runLoad } from "../../src/load/Load.ts"
import type { CheckReport } from "../../src/load/LoadCheck.ts"
import { accepted, type LoadReply, LoadTarget, notAccepted, ReadFailed } from "../../src/load/LoadTarget.ts"
import { judgeFailure } from "../../src/load/Outcome.ts"
import { clockOfLooks } from "../support/clocks.ts"
import { loadOptions, noMix } from "./LoadOptionsOf.ts"

type Target = LoadTarget["Service"]

const engine = layerEngine({ await: "persisted" }).pipe(Layer.provide(WalletEngine.layerMemory))

const mix = { ...noMix, credit: 2, debit: 1, transfer: 1 }

/** The check of a load on an engine between which and the load something lies. */
const checked = (between: (target: Target) => Partial<Target>, given: Parameters<typeof loadOptions>[0] = {}) =>
  Effect.gen(function* () {
    const target = yield* LoadTarget
    const report = yield* runLoad(loadOptions({ mix, ...given })).pipe(
      Effect.provideService(LoadTarget, LoadTarget.of({ ...target, ...between(target) })),
      Effect.provideService(Clock.Clock, clockOfLooks())
    )
    if (report.check.ok === null) throw new Error("there was no check")
    return report.check
  }).pipe(Effect.provide(engine))

/** Of the commands of the load itself, so many in: `instead` of the one at that place. */
const atCommand = (
  place: number,
  instead: (target: Target, ...sent: Parameters<Target["send"]>) => Effect.Effect<LoadReply>
) => {
  let seen = 0
  return (target: Target): Partial<Target> => ({
    send: (...sent) => (sent[2].startsWith("t1-") && seen++ === place ? instead(target, ...sent) : target.send(...sent))
  })
}

const failed = (check: CheckReport, ...texts: ReadonlyArray<RegExp>) => {
  assert.isFalse(check.ok)
  for (const text of texts) assert.isTrue(check.findings.some((finding) => text.test(finding)), `${text}: ${check.findings}`) // prettier-ignore
}

describe("LoadCheck", () => {
  it.live("finds the one command in ten thousand that a service has lost", () =>
    Effect.gen(function* () {
      const lose = atCommand(7_777, () => Effect.succeed(accepted("indexed", "made-up")))
      // One look at the clock is a millisecond, and each operation takes some.
      const phases = [{ name: "load", millis: 33_000, from: 0, to: 0, counted: true }]
      const check = yield* checked(lose, { phases, distribution: { _tag: "Uniform", wallets: 100 } })
      assert.isAtLeast(check.commands.accepted, 10_000)
      assert.strictEqual(check.commands.lost, 1)
      assert.strictEqual(check.commands.found, check.commands.accepted - 1)
      failed(check, /^t1-\d+ was accepted and is not there/, /has 1 (?:less|more) than what was accepted makes/)
    })
  )

  it.live("finds a command that was done twice", () =>
    Effect.gen(function* () {
      const twice = atCommand(20, (target, slot, command, key) =>
        Effect.andThen(target.send(slot, command, key), target.send(slot, command, key))
      )
      // Sent twice with its key it is done once: the check has nothing to say.
      assert.isTrue((yield* checked(twice)).ok)
      const events = (target: Target): Partial<Target> => ({
        events: (slot, walletId, after) =>
          Effect.map(target.events(slot, walletId, after), (shown) => {
            const first = shown.find(({ data }) => data["reference"] === "t1-0")
            return first === undefined ? shown : [...shown, { ...first, version: (shown.at(-1)?.version ?? 0) + 1 }]
          }),
        wallet: (slot, walletId) =>
          Effect.flatMap(target.wallet(slot, walletId), (wallet) =>
            Effect.map(target.events(slot, walletId, -1), (shown) =>
              shown.some(({ data }) => data["reference"] === "t1-0")
                ? { ...wallet, version: wallet.version + 1 }
                : wallet
            )
          )
      })
      failed(yield* checked(events), /^t1-0 is there \d times; it should be \d/)
    })
  )

  it.live("finds what was done although it was refused", () =>
    Effect.gen(function* () {
      const lie = atCommand(30, (target, slot, command, key) =>
        Effect.as(target.send(slot, command, key), notAccepted("MailboxFull", judgeFailure("MailboxFull")))
      )
      const check = yield* checked(lie)
      assert.strictEqual(check.commands.unasked, 1)
      failed(check, /^t1-\d+ is there, although it was answered not to be done/, /than what was accepted makes/)
    })
  )

  it.live("says of what has no clear answer whether it was done, and takes both", () =>
    Effect.gen(function* () {
      const unknown = notAccepted("OutcomeUnknown", judgeFailure("OutcomeUnknown"))
      let seen = 0
      const forget = (target: Target): Partial<Target> => ({
        send: (slot, command, key) => {
          if (!key.startsWith("t1-") || seen++ % 10 !== 0) return target.send(slot, command, key)
          const done = seen % 20 === 1 ? target.send(slot, command, key) : Effect.void
          return Effect.as(done, unknown)
        }
      })
      const check = yield* checked(forget)
      assert.isTrue(check.ok, check.findings.join("; "))
      assert.isAbove(check.unknown.done, 2)
      assert.isAbove(check.unknown.notDone, 2)
      assert.strictEqual(check.money.inTransit, "0")
    })
  )

  it.live("finds a wallet whose balance is not that of its events, and one that is gone", () =>
    Effect.gen(function* () {
      const wrong = (target: Target): Partial<Target> => ({
        wallet: (slot, walletId) =>
          walletId.endsWith("-2")
            ? Effect.fail(new ReadFailed({ code: "WalletNotFound", retryAfter: undefined }))
            : Effect.map(target.wallet(slot, walletId), (wallet) =>
                walletId.endsWith("-1") ? { ...wallet, balance: wallet.balance + 1n } : wallet
              )
      })
      const check = yield* checked(wrong)
      assert.deepStrictEqual(check.balances, { right: 1, wrong: 2 })
      failed(check, /^load-t1-1 shows \d+ and 0 held/, /^load-t1-2 cannot be read: WalletNotFound/)
    })
  )

  it.live("finds an event that is missing between two others", () =>
    Effect.gen(function* () {
      const gap = (target: Target): Partial<Target> => ({
        events: (slot, walletId, after) =>
          Effect.map(target.events(slot, walletId, after), (shown) => shown.filter(({ version }) => version !== 5))
      })
      failed(yield* checked(gap), /has no event at version 5/)
    })
  )

  it.live("finds money that somebody else has moved", () =>
    Effect.gen(function* () {
      const foreign = atCommand(10, (target, slot, command, key) =>
        Effect.andThen(
          target.send(slot, { _tag: "Credit", walletId: command.walletId, amount: 5n }, "somebody-else"),
          target.send(slot, command, key)
        )
      )
      failed(yield* checked(foreign), /has a WalletCredited at version \d+ that this load did not send/, /has 5 more/)
    })
  )

  it.live("finds a key that the service has forgotten", () =>
    Effect.gen(function* () {
      const known = new Set<string>()
      const forgetful = (target: Target): Partial<Target> => ({
        send: (slot, command, key) => {
          const again = known.has(key) && key === "t1-0"
          known.add(key)
          return target.send(slot, command, again ? `${key}-anew` : key)
        }
      })
      const check = yield* checked(forgetful, { distribution: { _tag: "Uniform", wallets: 2 } })
      assert.strictEqual(check.keys.lost, 1)
      failed(check, /^the key t1-0, sent again, is answered with .* anew/)
    })
  )

  it.live("waits as a service with a limit of rate asks, and sees the same", () =>
    Effect.gen(function* () {
      let asked = 0
      const limited = (target: Target): Partial<Target> => {
        const sometimes = <A>(read: Effect.Effect<A, ReadFailed>) =>
          Effect.suspend(() =>
            asked++ % 3 === 0 ? Effect.fail(new ReadFailed({ code: "RateLimited", retryAfter: 1 })) : read
          )
        return {
          wallet: (...read) => sometimes(target.wallet(...read)),
          events: (...read) => sometimes(target.events(...read))
        }
      }
      const check = yield* checked(limited)
      assert.isTrue(check.ok, check.findings.join("; "))
      // Six reads at least, of which every third fails first.
      assert.isAtLeast(asked, 9)
    })
  )

  it.live("is not ok when its time is over before everything was read", () =>
    Effect.gen(function* () {
      const check = yield* checked(() => ({ wallet: () => Effect.never }), { checkMillis: 1 })
      assert.isFalse(check.complete)
      failed(check, /^the time for the check was over/)
      assert.strictEqual(check.findingCount, 1)
    })
  )
})
