/** Commands of every kind in random order, then each again in any order, in this life and in later ones: its first answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { type ActorBounds, defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import type { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import type { EventStore } from "../../src/stores/EventStore.ts"
import type { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { SeededRandom } from "../../src/testing/simulation/SeededRandom.ts"
import { separateLog } from "../stores/storeContracts.ts"
import { layerEmbedded } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"

type Stores = EventStore | Persistence | ReadModel | ApiKeyStore
type Engine = WalletEngine["Service"]

const migrated = <A, E, R>(stores: Layer.Layer<A, E, R>) => stores.pipe(Layer.provide(SqlMigrator.layer))

const places: ReadonlyArray<{ readonly name: string; readonly stores: Layer.Layer<Stores, unknown> }> = [
  { name: "in memory", stores: MemoryStores.layer() },
  { name: "in memory, the log apart", stores: MemoryStores.layer({ separate: true }) },
  {
    name: "embedded",
    stores: migrated(SqlStores.layer()).pipe(Layer.provideMerge(layerEmbedded))
  },
  ...(postgresPresent
    ? [
        {
          name: "on PostgreSQL",
          stores: migrated(SqlStores.layer()).pipe(Layer.provideMerge(TestPostgres.layerDatabase()))
        },
        {
          name: "on PostgreSQL behind a log",
          stores: migrated(Layer.merge(SqlStores.layerBehindLog(), Layer.fresh(separateLog))).pipe(
            Layer.provideMerge(TestPostgres.layerDatabase())
          )
        }
      ]
    : [])
]

/** Little is remembered, and wallets come and go. */
const bounds: ActorBounds = {
  ...defaultBounds,
  keysInMemory: 5,
  keysInSnapshot: 3,
  keyFilterBytes: 0,
  residentBytes: 20_000,
  snapshotEvents: 16,
  snapshotMinimumEvents: 3
}

const life = <A, E>(use: (engine: Engine) => Effect.Effect<A, E>) =>
  Effect.provide(
    Effect.flatMap(WalletEngine, use),
    Layer.fresh(WalletEngine.layer({ bounds, partitions: 4 })).pipe(Layer.provide(Logger.layer([])))
  )

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const ids = numbers(8).map((n) => `w${n}`)

const keys = ["b", "a", "", "10", "9", "ä", "__proto__", "constructor", "long key", "💶", "zz", "aaa"]
const texts = ["", "x", "é\u{1F600}", 'quote " and \\', "line\nbreak", "x".repeat(512)]

const metadataOf = (random: SeededRandom) => {
  const pairs = numbers(random.below(6)).map((): [string, string] => [random.pick(keys), random.pick(texts)])
  return Object.fromEntries(pairs)
}

interface Call {
  readonly name: string
  readonly send: (engine: Engine) => Effect.Effect<unknown, unknown>
}

const aCall = (random: SeededRandom, key: string, holds: ReadonlyArray<readonly [string, string]>): Call => {
  const walletId = random.pick(ids)
  const reference = random.chance(0.5) ? random.pick(texts.slice(0, 5)) : null
  const note = { walletId, idempotencyKey: key, reference, metadata: metadataOf(random) }
  const amount = BigInt(random.between(1, 200))
  const status = { walletId, idempotencyKey: key, reason: reference }
  const [ofHold, holdId] = holds.length === 0 ? [walletId, "none"] : random.pick(holds)
  const onHold = { walletId: ofHold, holdId, idempotencyKey: key }
  const final = random.chance(0.3)
  const part = random.chance(0.6) ? BigInt(random.between(1, 20)) : undefined
  const limit = BigInt(random.below(50))
  const both = random.below(3)
  const to = random.pick(ids)
  const expiresAt = random.chance(0.3) ? 4e12 + random.below(1000) : null
  const create = {
    id: random.chance(0.5) ? `n${key}` : undefined,
    ownerId: "o",
    currency: "EUR",
    overdraftLimit: limit,
    metadata: note.metadata,
    idempotencyKey: key
  }
  return random.weighted<Call>([
    [{ name: "credit", send: (e) => e.credit({ ...note, amount: amount * 3n }) }, 8],
    [{ name: "debit", send: (e) => e.debit({ ...note, amount }) }, 5],
    [{ name: "hold", send: (e) => e.placeHold({ ...note, amount, expiresAt }) }, 5],
    [{ name: "capture", send: (e) => e.captureHold({ ...onHold, amount: part, final }) }, 5],
    [{ name: "release", send: (e) => e.releaseHold(onHold) }, 2],
    [{ name: "transfer", send: (e) => e.transfer({ ...note, from: walletId, to, amount }) }, 4],
    [{ name: "freeze", send: (e) => e.freeze(status) }, 1],
    [{ name: "unfreeze", send: (e) => e.unfreeze(status) }, 2],
    [{ name: "close", send: (e) => e.close(status) }, 0.3],
    [{ name: "create", send: (e) => e.createWallet(create) }, 1],
    [
      {
        name: "patch",
        send: (e) =>
          e.updateWallet({
            walletId,
            idempotencyKey: key,
            ...(both === 1 ? {} : { metadata: note.metadata }),
            ...(both === 0 ? {} : { overdraftLimit: limit })
          })
      },
      3
    ]
  ])
}

const told = (exit: Exit.Exit<unknown, unknown>): string =>
  JSON.stringify(exit, (name, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`
    return name === "replayed" || name === "durability" ? undefined : value
  })

const isReplayed = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) && (exit.value as { readonly replayed: boolean }).replayed

/** Lives of the service, with so many commands in each half of one. */
const lives = 3
const commands = 30

interface Done {
  readonly call: Call
  readonly key: string
  readonly first: string
}

/** A client that remembers what it has been told. */
class Client {
  readonly done: Array<Done> = []
  readonly #random: SeededRandom
  readonly #holds: Array<readonly [walletId: string, holdId: string]> = []
  #sent = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  /** New commands, some at a time. */
  send(engine: Engine) {
    return Effect.forEach(numbers(commands), () => Effect.suspend(() => this.#one(engine)), {
      concurrency: this.#random.pick([1, 5, 32]),
      discard: true
    })
  }

  /** A share of those that took place, in any order: nobody may hear anything else. */
  sendAgain(engine: Engine, share: number) {
    const again = this.done
      .filter(() => this.#random.chance(share))
      .map((one) => [this.#random.fraction(), one] as const)
      .sort(([a], [b]) => a - b)
    const check = ({ call, first, key }: Done) =>
      Effect.map(Effect.exit(call.send(engine)), (exit) => {
        assert.strictEqual(told(exit), first, `${call.name} ${key}`)
        if (Exit.isSuccess(exit)) assert.isTrue(isReplayed(exit), `${call.name} ${key}`)
      })
    return Effect.forEach(again, ([, one]) => check(one), {
      concurrency: this.#random.pick([1, 7, 64]),
      discard: true
    })
  }

  #one(engine: Engine) {
    const key = `k${this.#sent++}`
    const call = aCall(this.#random, key, this.#holds)
    return Effect.map(Effect.exit(call.send(engine)), (exit) => {
      const first = told(exit)
      if (Exit.isSuccess(exit)) {
        const { hold } = exit.value as { readonly hold?: { readonly walletId: string; readonly id: string } }
        if (call.name === "hold") this.#holds.push([hold!.walletId, hold!.id])
      }
      // A rejection leaves no trace; that a transfer was reversed is an outcome.
      if (Exit.isSuccess(exit) || first.includes("TransferReversed")) this.done.push({ call, key, first })
    })
  }
}

describe.each(places)("replays $name", ({ stores }) => {
  it.live("tell what was told, in this life and in later ones, whatever came between", () =>
    Effect.gen(function* () {
      const client = new Client(1)
      yield* life((engine) =>
        Effect.forEach(ids, (id) =>
          engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: "create" })
        )
      )
      for (const _ of numbers(lives)) {
        yield* life((engine) =>
          Effect.gen(function* () {
            yield* client.send(engine)
            yield* client.sendAgain(engine, 0.3)
            yield* client.send(engine)
          })
        )
        yield* life((engine) => client.sendAgain(engine, 1))
      }
      assert.isAbove(client.done.length, commands)
    }).pipe(Effect.provide(Layer.fresh(stores)))
  )
})
