/** What commands did that took place earlier, of many wallets at once: for a log that writes Persistence. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import assert from "node:assert/strict"
import type { RecordedEvent } from "../../domain/Event.ts"
import { profileOf } from "../../domain/Profile.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { type AskedCommand, EventStore, type PastCommand } from "../../stores/EventStore.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { capture, credit, placeHold, release, type SampleCommand, SampleWallet, uniqueId } from "./SampleWallet.ts"

interface Done {
  readonly events: ReadonlyArray<RecordedEvent>
  /** After it. */
  readonly wallet: Wallet
}

/** Appends the commands one by one; what each did. */
const perform = Effect.fnUntraced(function* (wallet: SampleWallet, commands: ReadonlyArray<SampleCommand>) {
  const log = yield* EventStore
  const done: Array<Done> = []
  for (const command of commands) {
    const commit = wallet.commit(command)
    yield* log.append([commit])
    done.push({ events: commit.events, wallet: commit.wallet })
  }
  return done
})

const ask = Effect.fnUntraced(function* (asked: ReadonlyArray<AskedCommand>) {
  const log = yield* EventStore
  return (yield* log.pastCommands!(asked)).map((past): PastCommand => Result.getOrThrow(past))
})

const askedOf = ({ wallet }: Done): AskedCommand => ({ walletId: wallet.id, version: wallet.version, profile: true })

const update = (overdraftLimit: bigint | null, tier: string | null): SampleCommand => ({
  _tag: "UpdateWallet",
  overdraftLimit,
  metadata: tier === null ? null : { tier, "": "empty" }
})

const aLife = (holds: ReadonlyArray<string>): ReadonlyArray<SampleCommand> => [
  credit(100n, "salary", { for: "may" }),
  update(null, "gold"),
  placeHold(holds[0]!, 10n),
  { _tag: "Freeze", reason: "audit", direction: null, until: null },
  credit(1n),
  { _tag: "Unfreeze", reason: null },
  { _tag: "Freeze", reason: "again", direction: "credits", until: 4_102_444_800_000 },
  { _tag: "Freeze", reason: null, direction: "all", until: null },
  { _tag: "Unfreeze", reason: null },
  update(50n, "base"),
  capture(holds[0]!, 4n, true),
  placeHold(holds[1]!, 5n),
  release(holds[1]!),
  update(20n, null),
  credit(2n),
  credit(3n)
]

const tellsAll = contractCase(
  "tells of each of many commands its events, and the profile as it was after them",
  Effect.gen(function* () {
    const wallets = [new SampleWallet({ overdraftLimit: 7n, metadata: { tier: "new" } }), new SampleWallet()]
    const done: Array<Done> = []
    for (const wallet of wallets) {
      done.push(...(yield* perform(wallet, [wallet.creation(), ...aLife([uniqueId("hold"), uniqueId("hold")])])))
    }
    // In whatever order, and twice.
    for (const asked of [done, done.toReversed(), [...done, ...done], [done[3]!]]) {
      const told = yield* ask(asked.map(askedOf))
      assert.deepEqual(
        told.map(({ events, profile }) => ({ events, profile })),
        asked.map(({ events, wallet }) => ({ events, profile: profileOf(wallet) }))
      )
    }
  })
)

const tellsProfilesWhereAsked = contractCase(
  "tells the profile only where it is asked for",
  Effect.gen(function* () {
    const wallet = new SampleWallet({ metadata: { tier: "new" } })
    const [created, credited] = yield* perform(wallet, [wallet.creation(), credit(1n), update(null, "gold")])
    const told = yield* ask([askedOf(created!), { ...askedOf(credited!), profile: false }])
    assert.deepEqual(
      told.map(({ profile }) => profile?.metadata),
      [{ tier: "new" }, undefined]
    )
  })
)

const tellsHolds = contractCase(
  "tells the hold that a command has captured or released, in what never changes",
  Effect.gen(function* () {
    const wallet = new SampleWallet()
    const holds = [uniqueId("hold"), uniqueId("hold")]
    const done = yield* perform(wallet, [
      wallet.creation(),
      credit(100n),
      placeHold(holds[0]!, 10n, wallet.time + 1_000),
      capture(holds[0]!, 4n),
      placeHold(holds[1]!, 20n),
      capture(holds[0]!, null, true),
      release(holds[1]!)
    ])
    const told = yield* ask(done.map(askedOf))
    assert.deepEqual(
      told.map(({ hold }) => hold && [hold.id, hold.walletId, hold.amount, hold.expiresAt, hold.createdAt]),
      [0, 0, 0, 1, 0, 1, 2].map((which) => {
        if (which === 0) return undefined
        return which === 1
          ? [holds[0], wallet.id, 10n, wallet.time + 1_000, wallet.time]
          : [holds[1], wallet.id, 20n, null, wallet.time]
      })
    )
  })
)

const tellsNothing = contractCase(
  "tells no events of a version that the stream does not reach, and of no wallet",
  Effect.gen(function* () {
    const wallet = new SampleWallet()
    yield* perform(wallet, [wallet.creation()])
    const told = yield* ask([
      { walletId: wallet.id, version: 1, profile: false },
      { walletId: uniqueId("nobody"), version: 0, profile: false }
    ])
    assert.deepEqual(
      told.map(({ events }) => events),
      [[], []]
    )
    assert.deepEqual(yield* ask([]), [])
  })
)

export const pastContract: ReadonlyArray<ContractCase<EventStore>> = [
  tellsAll,
  tellsProfilesWhereAsked,
  tellsHolds,
  tellsNothing
]
