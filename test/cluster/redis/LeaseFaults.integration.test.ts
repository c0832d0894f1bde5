/** Leases while Redis is away, slow, emptied or forgetful, and while clocks differ. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Runner } from "effect/cluster/Runner"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import { type RedisLeaseOptions, RedisRunnerStorage } from "../../../src/cluster.ts"
import { leasesLost } from "../../../src/cluster/ClusterMetrics.ts"
import * as Scripts from "../../../src/cluster/redis/LeaseScripts.ts"
import type { RedisServer } from "../../../bench/servers/RedisServer.ts"
import { clockAhead } from "../../support/clocks.ts"
import { bareRedis, ownRedis, redisPresent, sharedRedis, watchRedis } from "../../support/redis.ts"
import { startTcpProxy } from "../../support/tcpProxy.ts"

// Short, since the tests wait for them; long enough for a machine that is busy with other tests.
const leaseMillis = 3_000
const commandTimeoutMillis = 900

type Options = Partial<RedisLeaseOptions>

/** A process on the server at `url`; does not wait for the connection. */
const start = (url: string, options: Options = {}) =>
  Layer.build(
    RedisRunnerStorage.layer({
      url: Redacted.make(url),
      clusterName: "faults",
      leaseMillis,
      commandTimeoutMillis,
      ...options
    })
  ).pipe(Effect.flatMap((context) => Effect.provideContext(RunnerStorage, context)))

const until = <A, E>(ask: Effect.Effect<A, E>, isGood: (answer: A) => boolean) =>
  Effect.flatMap(ask, (answer) => (isGood(answer) ? Effect.succeed(answer) : Effect.fail(answer))).pipe(
    Effect.retry({ schedule: Schedule.spaced(10), times: 1_000 })
  )

/** On a busy machine Redis may not answer within the short time that a command has here. */
const answered = <A, E>(ask: Effect.Effect<A, E>) => until(ask, () => true)

const connected = (storage: RunnerStorage["Service"]) => until(storage.getRunners, () => true)

const [a, b] = ["a", "b"].map((host) => new RunnerAddress({ host, port: 1 })) as [RunnerAddress, RunnerAddress]

const runner = (address: RunnerAddress) => new Runner({ address, groups: ["default"], weight: 1 })

const shards = (count: number) => Array.from({ length: count }, (_, n) => ShardId.make("default", n + 1))

const [first, second] = shards(2) as [ShardId.ShardId, ShardId.ShardId]

/** Two registered runners; the first holds both shards. */
const twoRunners = Effect.fnUntraced(function* (url: string, options: Options = {}) {
  const [one, two] = [yield* start(url, options), yield* start(url, options)]
  yield* connected(one)
  yield* connected(two)
  yield* answered(one.register(runner(a), true))
  yield* answered(two.register(runner(b), true))
  // Nothing is granted by a command that Redis did not answer in time; the next one finds what it may have granted.
  yield* until(one.acquire(a, [first, second]), (taken) => taken.length === 2)
  return [one, two] as const
})

const silent = Effect.provide(Logger.layer([]))

describe.skipIf(!redisPresent)("leases while Redis is away", () => {
  it.live("keeps everything as it was, however long the lease has been over, within the grace", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const [one, two] = yield* twoRunners(server.url)
      yield* server.freeze
      assert.deepStrictEqual(yield* one.refresh(a, [first, second]), [first, second])
      assert.deepStrictEqual(yield* two.acquire(b, [first, second]), [])
      const end = (yield* Clock.currentTimeMillis) + leaseMillis + 100
      const refreshed = Effect.andThen(one.refresh(a, [first, second]), (held) =>
        Effect.map(Clock.currentTimeMillis, (now) => ({ now, held }))
      )
      const last = yield* until(
        Effect.tap(refreshed, ({ held }) => Effect.sync(() => assert.lengthOf(held, 2))),
        ({ now }) => now > end
      )
      assert.lengthOf(last.held, 2)
      assert.deepStrictEqual(yield* two.refresh(b, []), [])
      yield* server.thaw
      // The other is back first: it must find neither a free shard nor a dead runner.
      yield* connected(two)
      assert.lengthOf(yield* two.getRunners, 2)
      assert.deepStrictEqual(yield* two.acquire(b, [first, second]), [])
      assert.deepStrictEqual(yield* one.refresh(a, [first, second]), [first, second])
      assert.lengthOf(yield* two.getRunners, 2)
    }).pipe(Effect.scoped, silent)
  )

  it.live("fails a refresh after the grace, and finds its leases again when Redis is back", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const [one] = yield* twoRunners(server.url, { graceMillis: 300 })
      yield* server.freeze
      const failure = yield* until(Effect.flip(one.refresh(a, [first])), () => true)
      assert.strictEqual(failure._tag, "PersistenceError")
      assert.strictEqual((yield* Effect.flip(one.refresh(a, [])))._tag, "PersistenceError")
      yield* server.thaw
      yield* until(one.refresh(a, []), () => true)
      assert.deepStrictEqual(yield* one.refresh(a, [first, second]), [first, second])
    }).pipe(Effect.scoped, silent)
  )

  it.live("keeps for the grace only what was held", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const [one, two] = yield* twoRunners(server.url)
      yield* one.release(a, second)
      yield* server.kill
      assert.deepStrictEqual(yield* one.refresh(a, [first, second]), [first])
      assert.deepStrictEqual(yield* two.refresh(b, [first, second]), [])
      assert.strictEqual((yield* Effect.flip(one.release(a, first)))._tag, "PersistenceError")
      assert.strictEqual((yield* Effect.flip(one.getRunners))._tag, "PersistenceError")
    }).pipe(Effect.scoped, silent)
  )

  it.live("fails at once where no server is, and serves when it has come", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      yield* server.kill
      // At once: not after the time that a command has.
      const storage = yield* start(server.url, { leaseMillis: 600_000, commandTimeoutMillis: 190_000 })
      const failure = yield* storage.register(runner(a), true).pipe(Effect.flip, Effect.timeout(120_000))
      assert.strictEqual(failure._tag, "PersistenceError")
      assert.strictEqual((yield* Effect.flip(storage.refresh(a, [])))._tag, "PersistenceError")
      yield* server.start
      yield* until(storage.register(runner(a), true), () => true)
      assert.lengthOf(yield* storage.getRunners, 1)
    }).pipe(Effect.scoped, silent)
  )

  it.live("hands over from a runner that alone is cut off, which learns it when it is back", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const proxy = yield* startTcpProxy(server.port)
      const [cutOff, next] = [yield* start(`redis://127.0.0.1:${proxy.port}`), yield* start(server.url)]
      yield* connected(cutOff)
      yield* connected(next)
      yield* answered(cutOff.register(runner(a), true))
      yield* answered(next.register(runner(b), true))
      yield* until(cutOff.acquire(a, [first]), (granted) => granted.length === 1)
      yield* proxy.set({ _tag: "Hold" })
      const taken = until(
        Effect.andThen(next.refresh(b, []), next.acquire(b, [first])),
        (granted) => granted.length === 1
      )
      yield* taken
      assert.deepStrictEqual(
        (yield* next.getRunners).map(([{ address }]) => address.host),
        ["b"]
      )
      assert.deepStrictEqual(yield* cutOff.refresh(a, [first]), [first])
      yield* proxy.set({ _tag: "Pass" })
      yield* until(cutOff.refresh(a, [first]), (held) => held.length === 0)
      assert.deepStrictEqual(yield* next.refresh(b, [first]), [first])
      assert.lengthOf(yield* next.getRunners, 2)
    }).pipe(Effect.scoped, silent)
  )
})

describe.skipIf(!redisPresent)("the log of the leases", () => {
  const logged = Effect.fnUntraced(function* (
    run: (url: string, server: RedisServer) => Effect.Effect<void, unknown, Scope.Scope>
  ) {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
    const server = yield* ownRedis
    yield* Effect.provide(run(server.url, server), Logger.layer([logger]))
    return lines
  }, Effect.scoped)

  it.live("tells the beginning and the end of an outage, once each", () =>
    Effect.gen(function* () {
      const lines = yield* logged((url, server) =>
        Effect.gen(function* () {
          const [one] = yield* twoRunners(url)
          yield* server.kill
          for (let n = 0; n < 20; n++) yield* Effect.andThen(one.refresh(a, [first]), Effect.exit(one.getRunners))
          yield* server.start
          yield* until(one.getRunners, () => true)
          yield* one.getRunners
        })
      )
      // Of two processes; one of them never asks while the server is away.
      assert.lengthOf(lines, 2)
      assert.match(lines[0]!, /^Warn leases: Redis, \w+: .*kept for the grace$/)
      assert.match(lines[1]!, /^Info leases: Redis answers again, after \d+ ms$/)
    })
  )

  it.live("tells when another live process has the runner's address", () =>
    Effect.gen(function* () {
      const lines = yield* logged((url) =>
        Effect.gen(function* () {
          const [old, restarted] = yield* twoRunners(url)
          yield* restarted.register(runner(a), true)
          yield* old.refresh(a, [])
          yield* old.refresh(a, [])
          yield* restarted.refresh(a, [])
        })
      )
      const errors = lines.filter((line) => line.startsWith("Error"))
      assert.deepStrictEqual(errors, ["Error leases: another live process is registered at this runner's address, a:1"])
    })
  )
})

describe.skipIf(!redisPresent)("a Redis that forgets", () => {
  it.live("restarted empty: a refresh finds nothing and makes nothing, but the runner is known again", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      // Longer than anything here takes on a busy machine: a runner is known for as long as a lease.
      const [one, two] = yield* twoRunners(server.url, { leaseMillis: 60_000 })
      const lostBefore = yield* Metric.value(leasesLost)
      yield* server.kill
      yield* server.start
      // Held for the grace while the connection comes back, then not held.
      yield* until(one.refresh(a, [first, second]), (held) => held.length === 0)
      assert.strictEqual(Number((yield* Metric.value(leasesLost)).count) - Number(lostBefore.count), 2)
      assert.deepStrictEqual(yield* answered(one.refresh(a, [first, second])), [])
      // A refresh that Redis does not answer in time succeeds, too, and has registered nobody.
      yield* until(Effect.andThen(two.refresh(b, []), one.getRunners), (runners) => runners.length === 2)
      yield* until(two.acquire(b, [first]), (taken) => taken.length === 1)
      const taken = yield* until(one.acquire(a, [first, second]), (granted) => granted.length > 0)
      assert.deepStrictEqual(taken, [second])
      assert.deepStrictEqual(yield* answered(one.refresh(a, [first, second])), [second])
    }).pipe(Effect.scoped, silent)
  )

  it.live("without its scripts, it is sent them again", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const redis = yield* bareRedis(server.url)
      const [one] = yield* twoRunners(server.url)
      const flush = Effect.promise(() => redis.script("FLUSH"))
      const each = <A, E>(call: Effect.Effect<A, E>) => Effect.andThen(flush, call)
      assert.deepStrictEqual(yield* each(one.refresh(a, [first])), [first])
      assert.deepStrictEqual(yield* each(one.acquire(a, [second])), [second])
      yield* each(one.release(a, second))
      yield* each(one.setRunnerHealth(b, false))
      assert.deepStrictEqual(
        (yield* each(one.getRunners)).flatMap(([{ address }, healthy]) => (healthy ? [address.host] : [])),
        ["a"]
      )
      assert.strictEqual(yield* each(one.register(runner(a), true)), yield* each(one.register(runner(a), true)))
      yield* each(one.unregister(a))
      yield* each(one.releaseAll(a))
      assert.deepStrictEqual(yield* each(one.refresh(a, [first])), [])
    }).pipe(Effect.scoped, silent)
  )

  it.live("says what is wrong when its answer is a refusal, and does not call it away", () =>
    Effect.gen(function* () {
      const url = yield* sharedRedis
      const redis = yield* bareRedis(url)
      yield* Effect.promise(() => redis.set("wallet:{occupied}:locks", "somebody else's"))
      const storage = yield* start(url, { clusterName: "occupied" })
      yield* connected(storage)
      const failure = yield* Effect.flip(storage.acquire(a, [first]))
      assert.match(String(failure.cause), /WRONGTYPE/)
    }).pipe(Effect.scoped, silent)
  )
})

describe.skipIf(!redisPresent)("late commands", () => {
  it.live("do not take away what was acquired after them", () =>
    Effect.gen(function* () {
      const url = yield* sharedRedis
      const redis = yield* bareRedis(url)
      const storage = yield* start(url, { clusterName: "late", incarnation: "one" })
      yield* connected(storage)
      yield* storage.acquire(a, [first])
      yield* storage.release(a, first)
      yield* storage.acquire(a, [first])
      // The release was the second numbered command: here it arrives once more.
      const owner = "one a:1"
      const locks = "wallet:{late}:locks"
      yield* Effect.promise(() => redis.eval(Scripts.release.lua, 1, locks, owner, 2, "default:1"))
      yield* Effect.promise(() => redis.eval(Scripts.releaseAll.lua, 1, locks, owner, 2))
      assert.deepStrictEqual(yield* storage.refresh(a, [first]), [first])
      yield* storage.release(a, first)
      assert.deepStrictEqual(yield* storage.refresh(a, [first]), [])
    }).pipe(Effect.scoped, silent)
  )
})

// Each has a cluster of its own, and waits for leases to end.
describe.skipIf(!redisPresent)("clocks", { concurrent: true }, () => {
  for (const hours of [-24, 24]) {
    it.live(`of a runner that is ${hours} hours off change nothing`, () =>
      Effect.gen(function* () {
        const url = yield* sharedRedis
        const clusterName = `clock ${hours}`
        const off = Effect.provideService(Clock.Clock, clockAhead(hours * 3_600_000))
        const [strange, right] = [yield* off(start(url, { clusterName })), yield* start(url, { clusterName })]
        yield* off(connected(strange))
        yield* connected(right)
        yield* off(strange.register(runner(a), true))
        assert.deepStrictEqual(yield* off(strange.acquire(a, [first])), [first])
        assert.deepStrictEqual(yield* right.acquire(b, [first, second]), [second])
        assert.deepStrictEqual(yield* off(strange.acquire(a, [second])), [])
        assert.lengthOf(yield* right.getRunners, 1)
        yield* until(right.acquire(b, [first]), (taken) => taken.length === 1)
        assert.lengthOf(yield* right.getRunners, 0)
        assert.deepStrictEqual(yield* off(strange.refresh(a, [first])), [])
      }).pipe(Effect.scoped, silent)
    )

    it.live(`of the server, moved by ${hours} hours, hand nothing over and keep nothing for ever`, () =>
      Effect.gen(function* () {
        const url = yield* sharedRedis
        const redis = yield* bareRedis(url)
        const clusterName = `moved${hours}`
        const [one, two] = yield* twoRunners(url, { clusterName })
        // As seen from now, the last command was served so many hours earlier or later.
        yield* Effect.promise(() => redis.hincrby(`wallet:{${clusterName}}:clock`, "real", -hours * 3_600_000))
        assert.deepStrictEqual(yield* two.acquire(b, [first, second]), [])
        assert.lengthOf(yield* two.getRunners, 2)
        assert.lengthOf(yield* one.refresh(a, [first, second]), 2)
        yield* until(two.acquire(b, [first, second]), (taken) => taken.length === 2)
      }).pipe(Effect.scoped, silent)
    )
  }
})

describe.skipIf(!redisPresent)("machine ids", () => {
  it.live("are 1,024: the address that registered the longest ago gives its own away, but never a live runner's", () =>
    Effect.gen(function* () {
      const url = yield* sharedRedis
      const redis = yield* bareRedis(url)
      const storage = yield* start(url, { clusterName: "machines" })
      // Host n registered at time 1,023 - n, long ago.
      const hosts = Array.from({ length: 1_024 }, (_, n) => [`host${n}:1`, `${n} ${1_023 - n}`])
      yield* Effect.promise(() => redis.hset("wallet:{machines}:machines", ...hosts.flat()))
      const last = runner(new RunnerAddress({ host: "host1023", port: 1 }))
      assert.strictEqual(yield* storage.register(last, true), 1_023)
      assert.strictEqual(yield* storage.register(runner(a), true), 1_022)
      assert.strictEqual(yield* Effect.promise(() => redis.hlen("wallet:{machines}:machines")), 1_024)
      assert.strictEqual(yield* storage.register(last, true), 1_023)
      const forgotten = runner(new RunnerAddress({ host: "host1022", port: 1 }))
      assert.strictEqual(yield* storage.register(forgotten, true), 1_021)
    }).pipe(Effect.scoped, silent)
  )
})

describe.skipIf(!redisPresent)("commands", () => {
  it.live("are one per refresh of 1,024 shards, one per acquire, one for all releases of a moment", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const [one] = yield* twoRunners(server.url)
      const all = shards(1_024)
      const scripts = Object.values(Scripts)
      const sent = yield* watchRedis(server.url)
      const nameOf = (command: string) =>
        scripts.find(({ sha }) => command.startsWith(`evalsha ${sha} `))?.name ?? command
      yield* one.acquire(a, all)
      yield* one.refresh(a, all)
      yield* one.refresh(a, all)
      yield* one.refresh(a, [])
      yield* Effect.forEach(all, (shard) => one.release(a, shard), { concurrency: "unbounded", discard: true })
      yield* one.getRunners
      yield* until(
        Effect.sync(() => sent.map(nameOf)),
        (names) => names.includes("runners")
      )
      // The first use of a script sends its text, too.
      const names = sent.map(nameOf).filter((name) => !name.startsWith("eval "))
      assert.deepStrictEqual(names, ["acquire", "refresh", "refresh", "refresh", "release", "runners"])
      assert.lengthOf(sent, names.length + 2)
    }).pipe(Effect.scoped, silent)
  )
})
