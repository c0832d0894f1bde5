/**
 * What every `RunnerStorage` with real leases must do, whatever store it is on. Each
 * case makes up a cluster of its own, so that they can run at once on one store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { Runner } from "effect/cluster/Runner"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type ContractCase, contractCase } from "./ContractCase.ts"

/** How the suite makes processes on the store under test. */
export interface RunnerStorageSubject<E> {
  /** Milliseconds; short, since the suite waits for leases to run out. */
  readonly leaseMillis: number
  /** One start of one process: each build has a connection and an incarnation of its own. */
  readonly process: (options: { readonly cluster: string }) => Layer.Layer<RunnerStorage, E>
}

type Storage = RunnerStorage["Service"]

const address = (name: string, port = 1): RunnerAddress => new RunnerAddress({ host: name, port })

const runner = (at: RunnerAddress): Runner => new Runner({ address: at, groups: ["default"], weight: 1 })

const shards = (count: number, group = "default"): Array<ShardId.ShardId> =>
  Array.from({ length: count }, (_, n) => ShardId.make(group, n + 1))

const names = (ids: Iterable<ShardId.ShardId>): Array<string> => Array.from(ids, String).sort()

const assertShards = (found: Iterable<ShardId.ShardId>, expected: Iterable<ShardId.ShardId>): void =>
  assert.deepEqual(names(found), names(expected))

const [a, b] = [address("a"), address("b")]
const [first, second] = [ShardId.make("default", 1), ShardId.make("default", 2)]

/** A suite over one subject: the cases share only how processes are made. */
class Suite<E> {
  readonly subject: RunnerStorageSubject<E>

  constructor(subject: RunnerStorageSubject<E>) {
    this.subject = subject
  }

  /** A case with a cluster of its own; `start` is one more process of it. */
  case(
    name: string,
    run: (start: Effect.Effect<Storage, E>, cluster: string) => Effect.Effect<void, unknown>
  ): ContractCase<never> {
    return contractCase(
      name,
      Effect.scoped(
        Effect.flatMap(Effect.scope, (scope) => {
          const cluster = `contract-${randomUUID()}`
          return run(this.start(cluster, scope), cluster)
        })
      )
    )
  }

  start(cluster: string, scope: Parameters<typeof Layer.buildWithScope>[1]): Effect.Effect<Storage, E> {
    return Effect.flatMap(Layer.buildWithScope(Layer.fresh(this.subject.process({ cluster })), scope), (context) =>
      Effect.provideContext(
        Effect.flatMap(RunnerStorage, (storage) => Effect.as(this.#connected(storage), storage)),
        context
      )
    )
  }

  /** Asks until the answer is as it should be; fails, with the answer, when it never is. */
  until<A, E2>(ask: Effect.Effect<A, E2>, isGood: (answer: A) => boolean): Effect.Effect<A, unknown> {
    return Effect.flatMap(ask, (answer) =>
      isGood(answer) ? Effect.succeed(answer) : Effect.fail(new Error(`still ${JSON.stringify(answer)}`))
    ).pipe(Effect.retry({ schedule: Schedule.spaced(10), times: this.subject.leaseMillis }))
  }

  /** A store may connect in the background. */
  #connected(storage: Storage) {
    return Effect.orDie(Effect.retry(storage.getRunners, { schedule: Schedule.spaced(5), times: 1_000 }))
  }
}

const ownership = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("gives a shard to one of two runners, and tells each what it holds", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      assertShards(yield* one.acquire(a, [first]), [first])
      assertShards(yield* two.acquire(b, [first]), [])
      assertShards(yield* one.refresh(a, [first]), [first])
      assertShards(yield* two.refresh(b, [first]), [])
    })
  ),
  suite.case("grants each shard once to runners that ask at the same time", (start) =>
    Effect.gen(function* () {
      const wanted = shards(64)
      const processes = yield* Effect.all(Array.from({ length: 4 }, () => start))
      const granted = yield* Effect.forEach(
        processes,
        (storage, n) => storage.acquire(address("racer", n), n % 2 === 0 ? wanted : [...wanted].reverse()),
        { concurrency: "unbounded" }
      )
      assertShards(granted.flat(), wanted)
    })
  ),
  suite.case("includes in an acquire what is the runner's already, and nothing of others", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      const [x, y, z] = shards(3) as [ShardId.ShardId, ShardId.ShardId, ShardId.ShardId]
      assertShards(yield* one.acquire(a, [x]), [x])
      assertShards(yield* two.acquire(b, [y]), [y])
      assertShards(yield* one.acquire(a, [x, y, z]), [x, z])
    })
  ),
  suite.case("takes, refreshes and gives back 1,024 shards", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      const all = shards(1_024)
      assertShards(yield* one.acquire(a, all), all)
      assertShards(yield* one.refresh(a, all), all)
      assertShards(yield* two.acquire(b, all), [])
      yield* Effect.forEach(all, (shard) => one.release(a, shard), { concurrency: "unbounded", discard: true })
      assertShards(yield* two.acquire(b, all), all)
      assertShards(yield* one.refresh(a, all), [])
    })
  ),
  suite.case("answers an acquire and a refresh of nothing with nothing", (start) =>
    Effect.gen(function* () {
      const one = yield* start
      assertShards(yield* one.acquire(a, []), [])
      assertShards(yield* one.refresh(a, []), [])
    })
  ),
  suite.case("keeps clusters of other names apart", (start) =>
    Effect.gen(function* () {
      const one = yield* start
      const other = yield* suite.start(`contract-${randomUUID()}`, yield* Effect.scope)
      yield* one.register(runner(a), true)
      assertShards(yield* one.acquire(a, [first]), [first])
      assert.deepEqual(yield* other.getRunners, [])
      assertShards(yield* other.acquire(a, [first]), [first])
      yield* other.releaseAll(a)
      assertShards(yield* one.refresh(a, [first]), [first])
    }).pipe(Effect.scoped)
  )
]

const release = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("lets another runner acquire at once what was released", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      yield* one.acquire(a, [first, second])
      yield* one.release(a, first)
      assertShards(yield* two.acquire(b, [first, second]), [first])
      assertShards(yield* one.refresh(a, [first, second]), [second])
    })
  ),
  suite.case("releases only the runner's own, all at once or one by one, however often", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      yield* one.acquire(a, [first])
      yield* two.acquire(b, [second])
      yield* two.release(b, first)
      yield* two.releaseAll(b)
      yield* two.releaseAll(b)
      yield* two.release(b, second)
      assertShards(yield* one.refresh(a, [first]), [first])
      assertShards(yield* one.acquire(a, [first, second]), [first, second])
    })
  ),
  suite.case("never makes a lease by a refresh", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      assertShards(yield* one.refresh(a, [first]), [])
      yield* one.acquire(a, [second])
      yield* one.release(a, second)
      assertShards(yield* one.refresh(a, [first, second]), [])
      assertShards(yield* two.acquire(b, [first, second]), [first, second])
    })
  )
]

const expiry = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("hands the shards of a silent runner over; its late refresh and release do nothing", (start) =>
    Effect.gen(function* () {
      const [paused, next] = [yield* start, yield* start]
      yield* paused.acquire(a, [first, second])
      yield* suite.until(next.acquire(b, [first, second]), (taken) => taken.length === 2)
      assertShards(yield* paused.refresh(a, [first, second]), [])
      yield* paused.release(a, first)
      yield* paused.releaseAll(a)
      assertShards(yield* paused.acquire(a, [first, second]), [])
      assertShards(yield* next.refresh(b, [first, second]), [first, second])
    })
  ),
  suite.case("keeps what is refreshed, beyond the end of what is not", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      yield* one.acquire(a, [first, second])
      yield* suite.until(
        Effect.andThen(one.refresh(a, [first]), two.acquire(b, [first, second])),
        (taken) => taken.length > 0
      )
      assertShards(yield* two.refresh(b, [first, second]), [second])
      assertShards(yield* one.refresh(a, [first, second]), [first])
    })
  ),
  suite.case("takes a process that starts again at the same address for another owner", (start) =>
    Effect.gen(function* () {
      const [old, restarted] = [yield* start, yield* start]
      yield* old.acquire(a, [first])
      assertShards(yield* restarted.acquire(a, [first]), [])
      assertShards(yield* restarted.refresh(a, [first]), [])
      yield* restarted.releaseAll(a)
      assertShards(yield* old.refresh(a, [first]), [first])
      yield* suite.until(restarted.acquire(a, [first]), (taken) => taken.length === 1)
      yield* old.release(a, first)
      yield* old.releaseAll(a)
      assertShards(yield* old.refresh(a, [first]), [])
      assertShards(yield* restarted.refresh(a, [first]), [first])
    })
  )
]

const found = (storage: Storage) =>
  Effect.map(storage.getRunners, (all) =>
    all.map(([{ address }, healthy]) => `${address.host}:${address.port} ${healthy}`).sort()
  )

const membership = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("shows a runner as soon as it is registered, healthy or not, until it is unregistered", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      yield* one.register(runner(a), true)
      yield* two.register(runner(b), false)
      assert.deepEqual(yield* found(one), ["a:1 true", "b:1 false"])
      assert.deepEqual(yield* found(two), ["a:1 true", "b:1 false"])
      yield* one.setRunnerHealth(b, true)
      yield* two.setRunnerHealth(a, false)
      yield* one.setRunnerHealth(address("nobody"), true)
      assert.deepEqual(yield* found(two), ["a:1 false", "b:1 true"])
      yield* one.unregister(a)
      assert.deepEqual(yield* found(one), ["b:1 true"])
    })
  ),
  suite.case("gives back the runner as it was registered, the last time", (start) =>
    Effect.gen(function* () {
      const one = yield* start
      yield* one.register(runner(a), true)
      const heavy = new Runner({ address: a, groups: ["default", "Gruppe ü:1"], weight: 3 })
      yield* one.register(heavy, true)
      assert.deepEqual(
        (yield* one.getRunners).map(([{ groups, weight }]) => ({ groups, weight })),
        [{ groups: heavy.groups, weight: heavy.weight }]
      )
    })
  ),
  suite.case("keeps an address's machine id, and gives no two addresses the same", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      const id = yield* one.register(runner(a), true)
      assert.notEqual(yield* two.register(runner(b), true), id)
      yield* one.unregister(a)
      assert.equal(yield* (yield* start).register(runner(a), true), id)
    })
  )
]

const heartbeat = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("keeps a runner for as long as it refreshes, with shards or without, as healthy as it was", (start) =>
    Effect.gen(function* () {
      const [one, two, silent] = [yield* start, yield* start, yield* start]
      yield* one.register(runner(a), true)
      yield* two.register(runner(b), true)
      yield* silent.register(runner(address("c")), true)
      yield* two.acquire(b, [first])
      yield* one.setRunnerHealth(b, false)
      const beat = Effect.andThen(one.refresh(a, []), two.refresh(b, [first]))
      const left = yield* suite.until(Effect.andThen(beat, found(one)), (all) => all.length < 3)
      assert.deepEqual(left, ["a:1 true", "b:1 false"])
      yield* suite.until(found(one), (all) => all.length === 0)
      yield* one.refresh(a, [])
      assert.deepEqual(yield* found(two), ["a:1 true"])
    })
  ),
  suite.case("does not bring a runner back that has unregistered, and leaves it its shards", (start) =>
    Effect.gen(function* () {
      const [one, two] = [yield* start, yield* start]
      yield* one.register(runner(a), true)
      yield* one.acquire(a, [first])
      yield* one.unregister(a)
      assertShards(yield* one.refresh(a, [first]), [first])
      assert.deepEqual(yield* found(one), [])
      assertShards(yield* two.acquire(b, [first]), [])
    })
  ),
  suite.case("does not let an older process at the same address unregister a newer one", (start) =>
    Effect.gen(function* () {
      const [old, restarted] = [yield* start, yield* start]
      yield* old.register(runner(a), true)
      yield* restarted.register(runner(a), true)
      yield* old.refresh(a, [])
      yield* old.unregister(a)
      assert.deepEqual(yield* found(restarted), ["a:1 true"])
    })
  )
]

const hostileHosts = [
  "::1",
  "fe80::1%eth0",
  "a:1",
  "a",
  "münchen.example",
  "ホスト",
  "with space",
  '{"}\\',
  "%",
  "1 2 x",
  "x\ny"
]

const hostileGroups = ["default", "a:b", "Gruppe ü", "{x}", "1 2 3", "now", "real"]

const hostile = <E>(suite: Suite<E>): ReadonlyArray<ContractCase<never>> => [
  suite.case("keeps apart addresses and groups of any characters", (start) =>
    Effect.gen(function* () {
      const one = yield* start
      const addresses = hostileHosts.map((host) => address(host, 1))
      const ids = yield* Effect.forEach(addresses, (at) => one.register(runner(at), true))
      assert.equal(new Set(ids).size, addresses.length)
      assert.deepEqual(yield* found(one), addresses.map(({ host, port }) => `${host}:${port} true`).sort())
      for (const group of hostileGroups) {
        const wanted = shards(addresses.length, group)
        for (const [n, at] of addresses.entries()) assertShards(yield* one.acquire(at, [wanted[n]!]), [wanted[n]!])
        for (const [n, at] of addresses.entries()) assertShards(yield* one.refresh(at, wanted), [wanted[n]!])
      }
      yield* one.releaseAll(addresses[0]!)
      for (const at of addresses.slice(1)) assert.equal((yield* one.refresh(at, shards(99))).length, 1)
    })
  )
]

/** Takes real time: a few leases. Not for a test clock. */
export const runnerStorageContract = <E>(subject: RunnerStorageSubject<E>): ReadonlyArray<ContractCase<never>> => {
  const suite = new Suite(subject)
  return [ownership, release, expiry, membership, heartbeat, hostile].flatMap((cases) => cases(suite))
}
