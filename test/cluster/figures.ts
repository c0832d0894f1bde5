/**
 * `node test/cluster/figures.ts`: what several nodes cost. One line of JSON per figure, all
 * of one machine and one run: ratios say something, the numbers themselves little.
 */
import "../../src/bin/endWhenDone.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Redis } from "ioredis"
import { readFileSync } from "node:fs"
import { partitionOf } from "../../src/domain/Partition.ts"
import { HttpConnection } from "../../src/load/HttpConnection.ts"
import { runHttpLoad } from "../../bench/HttpLoad.ts"
import { defaultClient, FaultClient, openWallets, runLoad } from "../faults/FaultClient.ts"
import {
  claimsOf,
  clusterOf,
  type ClusterNode,
  type ClusterRig,
  makeRig,
  startNodes,
  type Stores
} from "./ClusterRig.ts"
import { spreadRequests } from "./SpreadRequests.ts"

const figureNames = ["throughput", "distance", "rest", "redis-away", "wallets"] as const

const flags = {
  only: Flag.Literals("only", figureNames).pipe(
    Flag.withDescription("One of them; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  stores: Flag.Literals("stores", ["postgres", "both"]).pipe(Flag.withDefault("postgres" as const)),
  seconds: Flag.Int("seconds").pipe(Flag.withDescription("Of each load"), Flag.withDefault(8)),
  connections: Flag.Int("connections").pipe(Flag.withDescription("Of the throughput"), Flag.withDefault(64)),
  toOwners: Flag.Boolean("to-owners").pipe(
    Flag.withDescription("Each node is asked for its own wallets, as by clients who have learned where these are"),
    Flag.withDefault(false)
  ),
  wallets: Flag.Int("wallets").pipe(Flag.withDescription("Of the loads"), Flag.withDefault(10_000)),
  many: Flag.Int("many").pipe(Flag.withDescription("Wallets to touch once each"), Flag.withDefault(1_000_000))
}

type Given = Command.Command.Config.Infer<typeof flags>

const { apiKey } = defaultClient
const head = (path: string, host: string, key: string) =>
  `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n` +
  `content-type: application/json\r\nidempotency-key: ${key}\r\n`

/** Wallets `f0`, `f1`, …, made over all nodes at once. */
const makeWallets = Effect.fnUntraced(function* (nodes: ReadonlyArray<ClusterNode>, count: number) {
  let next = 0
  const caller = Effect.fnUntraced(function* (index: number) {
    const url = new URL(nodes[index % nodes.length]!.url)
    const connection = new HttpConnection(url)
    while (next < count) {
      const id = `f${next++}`
      const body = JSON.stringify({ id, ownerId: "figures", currency: "EUR" })
      yield* connection.request(head("/v1/wallets", url.host, `make-${id}`), body)
    }
    connection.close()
  })
  yield* Effect.orDie(
    Effect.forEach(
      Array.from({ length: 64 }, (_, n) => n),
      caller,
      { concurrency: 64, discard: true }
    )
  )
})

/** A counter of all nodes together, all its attributes. */
const total = Effect.fnUntraced(function* (nodes: ReadonlyArray<ClusterNode>, name: string) {
  const texts = yield* Effect.promise(() =>
    Promise.all(nodes.map(({ url }) => fetch(`${url}/metrics`).then((answer) => answer.text())))
  )
  const lines = texts.join("\n").matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0)
})

/** Commands that Redis was sent by clients, scripts' own left out. */
const redisCommands = ({ redis }: ClusterRig) =>
  Effect.promise(async () => {
    const client = new Redis(redis.url)
    const info = await client.info("commandstats")
    client.disconnect()
    return [...info.matchAll(/cmdstat_(evalsha|eval):calls=(\d+)/g)].reduce(
      (sum, [, , calls]) => sum + Number(calls),
      0
    )
  })

interface Spread {
  readonly connections: number
  /** Those that a node is asked for; each begins elsewhere. */
  readonly wallets: (node: ClusterNode, index: number) => ReadonlyArray<string>
  readonly seconds: number
}

let runs = 0

/** Credits from connections spread over the nodes. */
const credits = Effect.fnUntraced(function* (nodes: ReadonlyArray<ClusterNode>, given: Spread) {
  const run = ++runs
  const reports = yield* Effect.forEach(
    nodes,
    (node, index) => {
      const { hostname, port } = new URL(node.url)
      const share = Math.ceil(given.connections / nodes.length)
      return runHttpLoad({
        host: hostname,
        port: Number(port),
        method: "POST",
        path: "/v1/wallets/{w}/credit",
        headers: {
          authorization: `Bearer ${apiKey}`,
          "content-type": "application/json",
          "idempotency-key": `run${run}-${index}-{n}`
        },
        body: '{"amount":"1"}',
        wallets: given.wallets(node, index),
        connections: share,
        warmup: 2_000,
        duration: given.seconds * 1_000
      })
    },
    { concurrency: "unbounded" }
  )
  return {
    perSecond: Math.round(reports.reduce((sum, { perSecond }) => sum + perSecond, 0)),
    p50: Math.max(...reports.map(({ p50 }) => p50)) / 1_000,
    p99: Math.max(...reports.map(({ p99 }) => p99)) / 1_000,
    statuses: reports.map(({ statuses }) => statuses)
  }
})

const names = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, index) => `f${index}`)

const turned = (wallets: ReadonlyArray<string>, by: number): ReadonlyArray<string> => [
  ...wallets.slice(by),
  ...wallets.slice(0, by)
]

/** Whether a wallet is the node's own. */
const ownedBy = Effect.fnUntraced(function* (node: ClusterNode, { partitions }: ClusterRig) {
  const view = yield* clusterOf(node)
  const owned = new Set(view?.node.owned.map(({ partition }) => partition))
  return (id: string) => owned.has(partitionOf(id, partitions))
})

const say = (figure: string, values: object) => Console.log(JSON.stringify({ figure, ...values }))

const started = Effect.fnUntraced(function* (
  stores: Stores,
  nodes: number,
  environment: Readonly<Record<string, string>> = {}
) {
  const rig = yield* makeRig({ stores, nodes, environment: { WALLET_LOG_LEVEL: "Warn", ...environment } })
  yield* startNodes(rig)
  return rig
})

const counters = [
  "wallet_cluster_messages_total",
  "wallet_cluster_commands_total",
  "wallet_append_duration_seconds_count",
  "wallet_commits_appended_total"
] as const

const throughput = Effect.fnUntraced(function* (given: Given, nodes: number) {
  const { connections, seconds, stores, toOwners, wallets } = given
  const rig = yield* started(stores, nodes)
  yield* makeWallets(rig.nodes, wallets)
  const before = yield* Effect.forEach(counters, (name) => total(rig.nodes, name))
  const [redisBefore, startedAt] = [yield* redisCommands(rig), performance.now()]
  const own = yield* Effect.forEach(rig.nodes, (node) => ownedBy(node, rig))
  const all = names(wallets)
  const asked = (_: ClusterNode, index: number) => (toOwners ? all.filter(own[index]!) : turned(all, index * 997))
  const measured = yield* credits(rig.nodes, { connections, wallets: asked, seconds })
  const took = (performance.now() - startedAt) / 1_000
  const [messages = 0, remote = 0, appends = 0, commits = 0] = (yield* Effect.forEach(counters, (name) =>
    total(rig.nodes, name)
  )).map((after, index) => after - before[index]!)
  const redis = (yield* redisCommands(rig)) - redisBefore
  yield* say("throughput", {
    nodes,
    stores,
    connections,
    toOwners,
    wallets,
    ...measured,
    remoteCommands: remote,
    messages,
    commandsPerMessage: messages === 0 ? null : remote / messages,
    walletsPerAppend: commits / appends,
    redisCommandsPerSecond: redis / took,
    redisCommandsPerWalletCommand: redis / took / measured.perSecond
  })
}, Effect.scoped)

/** The same node asked for its own wallets, and for those of others. */
const distance = Effect.fnUntraced(function* ({ seconds, stores, wallets }: Given) {
  const rig = yield* started(stores, 3)
  yield* makeWallets(rig.nodes, wallets)
  const [node] = rig.nodes
  const isNear = yield* ownedBy(node!, rig)
  for (const connections of [1, 64]) {
    const near = yield* credits([node!], { connections, wallets: () => names(wallets).filter(isNear), seconds })
    const far = yield* credits([node!], {
      connections,
      wallets: () => names(wallets).filter((id) => !isNear(id)),
      seconds
    })
    yield* say("distance", { connections, stores, near, far })
  }
}, Effect.scoped)

const rest = Effect.fnUntraced(function* ({ stores }: Given) {
  const rig = yield* started(stores, 3)
  yield* Effect.sleep(2_000)
  const before = yield* redisCommands(rig)
  yield* Effect.sleep(20_000)
  yield* say("rest", {
    nodes: 3,
    partitions: rig.partitions,
    redisCommandsPerSecond: ((yield* redisCommands(rig)) - before) / 20
  })
}, Effect.scoped)

const awaySeconds = 30

const redisAway = Effect.fnUntraced(function* ({ stores }: Given) {
  const rig = yield* started(stores, 3)
  const urls = rig.nodes.map(({ url }) => url)
  const client = new FaultClient({ ...defaultClient, connections: 16, wallets: 100, seed: 1 }, urls[0]!)
  client.connect = () => spreadRequests(urls, client.random)
  yield* openWallets(client)
  const load = yield* Effect.forkChild(runLoad(client))
  yield* Effect.sleep(2_000)
  const before = (yield* claimsOf(rig)).length
  yield* rig.redis.freeze
  client.phase = "fault"
  yield* Effect.sleep(awaySeconds * 1_000)
  yield* rig.redis.thaw
  client.phase = "after"
  yield* Effect.sleep(5_000)
  client.running = false
  yield* Fiber.join(load)
  yield* say("redis-away", {
    seconds: awaySeconds,
    claims: (yield* claimsOf(rig)).length - before,
    answers: client.answers,
    slowestMillis: client.slowest,
    untrue: client.untrueCount
  })
}, Effect.scoped)

const residentMegabytes = ({ pid }: ClusterNode): number =>
  Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024)

const manyWallets = Effect.fnUntraced(function* ({ many, stores }: Given) {
  const residentBytes = 80_000_000
  const rig = yield* started(stores, 3, { WALLET_RESIDENT_BYTES: String(residentBytes) })
  const at = performance.now()
  const making = yield* Effect.forkChild(makeWallets(rig.nodes, many))
  const most = rig.nodes.map(residentMegabytes)
  const begun = [...most]
  while (making.pollUnsafe() === undefined) {
    rig.nodes.forEach((node, index) => (most[index] = Math.max(most[index]!, residentMegabytes(node))))
    yield* Effect.sleep(250)
  }
  const resident = yield* total(rig.nodes, "wallet_resident_wallets")
  const seconds = Math.round((performance.now() - at) / 1_000)
  yield* say("wallets", { many, residentBytes, resident, seconds, megabytes: { begun, most } })
}, Effect.scoped)

const run = Effect.fnUntraced(function* (given: Given) {
  const wants = (name: (typeof figureNames)[number]) => given.only.length === 0 || given.only.includes(name)
  if (wants("throughput")) for (const nodes of [1, 3, 1, 3]) yield* throughput(given, nodes)
  if (wants("distance")) yield* distance(given)
  if (wants("rest")) yield* rest(given)
  if (wants("redis-away")) yield* redisAway(given)
  if (wants("wallets")) yield* manyWallets(given)
})

Command.run(
  Command.make("figures", flags, (given) => Effect.provideService(run(given), References.MinimumLogLevel, "Warn")).pipe(
    Command.withDescription("What several nodes cost")
  ),
  { version: "1" }
).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
