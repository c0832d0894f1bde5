/** effect/cluster's own sharding over the leases: what its nodes own, in health and in trouble. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as ShardId from "effect/cluster/ShardId"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import { RedisRunnerStorage, shardingTimes } from "../../src/cluster.ts"
import { bareRedis, ownRedis, redisPresent, watchRedis } from "../support/redis.ts"
import { startTcpProxy } from "../support/tcpProxy.ts"

const leaseMillis = 1_200
const commandTimeoutMillis = 390
const shards = Array.from({ length: 1_024 }, (_, n) => ShardId.make("default", n + 1))

type Node = Sharding.Sharding["Service"]

const nodeLayer = (url: string, port: number) =>
  Sharding.layer.pipe(
    Layer.provide([Runners.layerNoop, RunnerHealth.layerNoop]),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provide(
      RedisRunnerStorage.layer({ url: Redacted.make(url), clusterName: "sharding", leaseMillis, commandTimeoutMillis })
    ),
    Layer.provide(
      ShardingConfig.layer({
        runnerAddress: Option.some(new RunnerAddress({ host: "127.0.0.1", port })),
        shardsPerGroup: shards.length,
        simulateRemoteSerialization: false,
        ...shardingTimes({ leaseMillis })
      })
    ),
    Layer.provide(Logger.layer([])),
    Layer.fresh
  )

/** A node, and the effect that stops it in order. */
const startNode = Effect.fnUntraced(function* (url: string, port: number) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(nodeLayer(url, port), scope)
  const node = yield* Effect.provideContext(Sharding.Sharding, context)
  return { node, stop: Scope.close(scope, Exit.void) }
})

const ownedBy = (node: Node): number => shards.filter((shard) => node.hasShardId(shard)).length

/** Each shard has exactly one owner, and each node some. */
const isShared = (nodes: ReadonlyArray<Node>): boolean =>
  nodes.every((node) => ownedBy(node) > 0) &&
  shards.every((shard) => nodes.filter((node) => node.hasShardId(shard)).length === 1)

/** Of each shard, by the node's place. */
const ownersOf = (nodes: ReadonlyArray<Node>): ReadonlyArray<number> =>
  shards.map((shard) => nodes.findIndex((node) => node.hasShardId(shard)))

const until = (condition: () => boolean) =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.retry({ schedule: Schedule.spaced(10), times: 3_000 })
  )

const millisOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const begin = yield* Clock.currentTimeMillis
    yield* effect
    return (yield* Clock.currentTimeMillis) - begin
  })

describe.skipIf(!redisPresent)("effect/cluster on the leases", () => {
  it.live("shares all shards among its nodes, anew when one comes and when one goes", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const one = yield* startNode(url, 1)
      yield* until(() => isShared([one.node]))
      const two = yield* startNode(url, 2)
      yield* until(() => isShared([one.node, two.node]))
      const before = ownersOf([one.node, two.node])
      const three = yield* startNode(url, 3)
      const nodes = [one.node, two.node, three.node]
      yield* until(() => isShared(nodes))
      const moved = ownersOf(nodes).filter((owner, index) => owner !== before[index])
      // effect/cluster evens out what is over among the others, too: here 14 of 1,024.
      const toOthers = moved.filter((owner) => owner !== nodes.indexOf(three.node)).length
      assert.isBelow(toOthers, shards.length * 0.02)
      assert.strictEqual(moved.length - toOthers, ownedBy(three.node), "all that the one that came has was another's")
      yield* two.stop
      assert.strictEqual(ownedBy(two.node), 0)
      yield* until(() => isShared([one.node, three.node]))
    }).pipe(Effect.scoped)
  )

  it.live("gives the shards of a node that is cut off to the others soon after its lease", () =>
    Effect.gen(function* () {
      const { port, url } = yield* ownRedis
      const proxy = yield* startTcpProxy(port)
      const one = yield* startNode(url, 1)
      const cutOff = yield* startNode(`redis://127.0.0.1:${proxy.port}`, 2)
      yield* until(() => isShared([one.node, cutOff.node]))
      yield* proxy.set({ _tag: "Hold" })
      const millis = yield* millisOf(until(() => isShared([one.node])))
      assert.isBelow(millis, leaseMillis + 4_000)
      // It cannot know, and need not: the log's claim refuses it.
      assert.isAbove(ownedBy(cutOff.node), 0)
      yield* proxy.set({ _tag: "Pass" })
      yield* until(() => isShared([one.node, cutOff.node]))
    }).pipe(Effect.scoped)
  )

  it.live("moves nothing while Redis is frozen for longer than a lease, nor afterwards", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const nodes = [(yield* startNode(server.url, 1)).node, (yield* startNode(server.url, 2)).node]
      yield* until(() => isShared(nodes))
      const owners = shards.map((shard) => nodes.findIndex((node) => node.hasShardId(shard)))
      const isUnmoved = () =>
        shards.every((shard, n) => nodes.every((node, m) => node.hasShardId(shard) === (owners[n] === m)))
      const watch = (millis: number) =>
        Effect.gen(function* () {
          const end = (yield* Clock.currentTimeMillis) + millis
          while ((yield* Clock.currentTimeMillis) < end) {
            assert.isTrue(isUnmoved(), "a shard has moved")
            yield* Effect.sleep(20)
          }
        })
      yield* server.freeze
      yield* watch(2 * leaseMillis)
      yield* server.thaw
      yield* watch(2 * leaseMillis)
    }).pipe(Effect.scoped)
  )

  it.live("owns everything again after Redis came back empty", () =>
    Effect.gen(function* () {
      const server = yield* ownRedis
      const nodes = [(yield* startNode(server.url, 1)).node, (yield* startNode(server.url, 2)).node]
      yield* until(() => isShared(nodes))
      yield* server.kill
      yield* server.start
      const redis = yield* bareRedis(server.url)
      const locks = Effect.promise(() => redis.hlen("wallet:{sharding}:locks"))
      yield* Effect.repeat(locks, { until: (count) => count === shards.length, schedule: Schedule.spaced(20) })
      yield* until(() => isShared(nodes))
    }).pipe(Effect.scoped)
  )

  it.live("sends a bounded number of commands, however many shards there are", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const { node } = yield* startNode(url, 1)
      yield* until(() => isShared([node]))
      const commands = yield* watchRedis(url)
      const begin = yield* Clock.currentTimeMillis
      yield* until(() => commands.length >= 12)
      const beats = ((yield* Clock.currentTimeMillis) - begin) / shardingTimes({ leaseMillis }).shardLockRefreshInterval
      // A refresh and a look at the runners per beat; the first look may just have been missed.
      assert.isAtMost(commands.length, 2 * beats + 3)
      assert.isTrue(commands.every((command) => command.startsWith("evalsha ")))
    }).pipe(Effect.scoped)
  )
})
