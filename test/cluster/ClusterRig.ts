/**
 * An installation of several nodes to break: the real service as processes on one
 * PostgreSQL, or KurrentDB with PostgreSQL behind it, and one Redis; between every node
 * and each of these, and between the nodes, a proxy that can cut.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { type KurrentServer, startKurrent } from "../../bench/servers/KurrentServer.ts"
import { startPostgres } from "../../bench/servers/PostgresServer.ts"
import { type RedisServer, startRedis } from "../../bench/servers/RedisServer.ts"
import { endProcess, freePort } from "../../bench/servers/ServerProcess.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import type { Stores } from "../faults/Rig.ts"
import { startTcpProxy, type TcpProxy } from "../support/tcpProxy.ts"
import { type ClaimPlace, keepClaims, kurrentClaims, sqlClaims } from "./ClaimHistory.ts"

export type { Stores }

export interface RigOptions {
  readonly stores: Stores
  readonly nodes: number
  /** Folder of another release: every node's first process is of that one, the later ones are of this. */
  readonly previous?: string | undefined
  /** Of every node, beside the addresses. */
  readonly environment?: Readonly<Record<string, string>>
}

const root = resolve(import.meta.dirname, "../..")

/** What a release's folder is started by: its sources, or what was built of them. */
const programOf = (folder: string): string => {
  const [source, built] = [join(folder, "src/bin/wallet.ts"), join(folder, "dist/bin/wallet.js")]
  if (existsSync(source)) return source
  if (existsSync(built)) return built
  throw new Error(`${folder} has neither src/bin/wallet.ts nor dist/bin/wallet.js`)
}

const { apiKey } = defaultClient

/** Between a node and what it needs. */
export interface NodeProxies {
  readonly redis: TcpProxy
  /** What the node appends to: KurrentDB, or PostgreSQL where that is the log. */
  readonly log: TcpProxy
  /** From the other nodes to this one. */
  readonly peers: TcpProxy
}

/** One node: a process at a time, always at the same addresses. */
export class ClusterNode {
  readonly name: string
  readonly url: string
  readonly proxies: NodeProxies
  private readonly environment: Readonly<Record<string, string>>
  private readonly port: number
  private child: ChildProcess | undefined
  /** Of the processes that are still to be started; the last of them again and again. */
  private readonly programs: Array<string>
  /** What it has said on standard error, all its processes together; the last of it. */
  said = ""

  constructor(options: {
    readonly name: string
    readonly port: number
    readonly proxies: NodeProxies
    readonly environment: Readonly<Record<string, string>>
    readonly previous: string | undefined
  }) {
    this.name = options.name
    this.port = options.port
    this.url = `http://127.0.0.1:${options.port}`
    this.proxies = options.proxies
    this.environment = options.environment
    this.programs = [...(options.previous === undefined ? [] : [programOf(options.previous)]), programOf(root)]
  }

  /** Completes when it listens. */
  readonly start: Effect.Effect<void> = Effect.callback((resume) => {
    const program = this.programs.length > 1 ? this.programs.shift()! : this.programs[0]!
    const args = [program, "serve", "--port", String(this.port), "--json"]
    const child = spawn(process.execPath, args, { cwd: root, env: this.environment, stdio: ["ignore", "pipe", "pipe"] })
    this.child = child
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.said = (this.said + chunk).slice(-100_000)
    })
    child.once("close", () => resume(Effect.die(new Error(`node ${this.name} ended:\n${this.said}`))))
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes('"url"')) resume(Effect.void)
    })
  })

  signal(name: NodeJS.Signals): Effect.Effect<void> {
    return Effect.sync(() => void this.child?.kill(name))
  }

  /** Waits until it is gone; answers the exit code, `null`: killed. */
  end(signal: NodeJS.Signals): Effect.Effect<number | null> {
    return Effect.suspend(() => {
      const { child } = this
      if (child === undefined) return Effect.succeed(null)
      this.child = undefined
      return Effect.map(endProcess(child, signal), () => child.exitCode)
    })
  }

  /** `undefined`: it does not run. */
  get pid(): number | undefined {
    return this.child?.pid
  }
}

export interface ClusterRig {
  readonly stores: Stores
  readonly nodes: ReadonlyArray<ClusterNode>
  readonly partitions: number
  readonly redis: RedisServer
  /** For tools, without a proxy. */
  readonly direct: Readonly<Record<string, string>>
}

const withPort = (url: string, from: number, to: number): string => url.replace(`:${from}`, `:${to}`)

/** Servers and proxies, until the scope closes; the nodes are not started. */
export const makeRig = Effect.fnUntraced(function* (options: RigOptions) {
  const [postgres, kurrent, redis] = yield* Effect.all(
    [
      startPostgres({ fsync: true }),
      options.stores === "both"
        ? startKurrent({ inMemory: false })
        : Effect.succeed<KurrentServer | undefined>(undefined),
      startRedis
    ],
    { concurrency: 3 }
  )
  const database = Redacted.value(postgres.url)
  const settings = {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? "",
    NO_COLOR: "1",
    WALLET_API_KEY: apiKey,
    WALLET_LOG_LEVEL: "Info",
    WALLET_SQL_CONNECTIONS: "6",
    // An earlier release may know of no secret, and would not be understood by one that has it.
    ...(options.previous === undefined
      ? { WALLET_CLUSTER_SECRET: "a secret of the nodes of one rig".replaceAll(" ", "-") }
      : {}),
    ...options.environment
  }
  const direct = {
    ...settings,
    DATABASE_URL: database,
    ...(kurrent === undefined ? {} : { KURRENTDB_URL: Redacted.value(kurrent.url) })
  }
  const makeNode = Effect.fnUntraced(function* (index: number) {
    const [port, peerPort] = [yield* freePort, yield* freePort]
    const proxies = {
      redis: yield* startTcpProxy(redis.port),
      log: yield* startTcpProxy(kurrent?.port ?? postgres.port),
      peers: yield* startTcpProxy(peerPort)
    }
    const log: Readonly<Record<string, string>> =
      kurrent === undefined
        ? { DATABASE_URL: withPort(database, postgres.port, proxies.log.port) }
        : { KURRENTDB_URL: withPort(Redacted.value(kurrent.url), kurrent.port, proxies.log.port) }
    const environment = {
      ...direct,
      ...log,
      REDIS_URL: `redis://127.0.0.1:${proxies.redis.port}`,
      WALLET_CLUSTER_ADDRESS: `127.0.0.1:${proxies.peers.port}`,
      WALLET_CLUSTER_LISTEN: `127.0.0.1:${peerPort}`,
      WALLET_NODE_URL: `http://127.0.0.1:${port}`
    }
    return new ClusterNode({ name: `n${index}`, port, proxies, environment, previous: options.previous })
  })
  const nodes: Array<ClusterNode> = []
  for (let index = 0; index < options.nodes; index++) nodes.push(yield* makeNode(index))
  yield* Effect.addFinalizer(() => Effect.forEach(nodes, (node) => node.end("SIGKILL"), { concurrency: "unbounded" }))
  const rig: ClusterRig = { stores: options.stores, nodes, partitions: defaultPartitions, redis, direct }
  return rig
})

/** The installation's stores themselves, without a proxy. */
export const directStores = ({ direct }: ClusterRig) => {
  const option = (name: string) => Option.map(Option.fromUndefinedOr(direct[name]), Redacted.make)
  return storesLayer({
    kurrentUrl: option("KURRENTDB_URL"),
    kurrentPrefix: "wallet",
    databaseUrl: option("DATABASE_URL"),
    dataDir: "",
    schema: "wallet",
    maxConnections: 4
  })
}

interface ClusterDocument {
  readonly partitions: number
  readonly leases: string
  readonly nodes: ReadonlyArray<{ readonly partitions: number }> | null
  readonly node: { readonly owned: ReadonlyArray<{ readonly partition: number; readonly epoch: number }> }
}

/** `undefined`: no answer. */
export const clusterOf = ({ url }: ClusterNode): Effect.Effect<ClusterDocument | undefined> =>
  Effect.tryPromise((signal) =>
    fetch(`${url}/v1/cluster`, { signal, headers: { authorization: `Bearer ${apiKey}` } }).then(
      (answer) => answer.json() as Promise<ClusterDocument>
    )
  ).pipe(
    Effect.timeout("2 seconds"),
    Effect.orElseSucceed(() => undefined)
  )

/** Whether every partition is owned by exactly one of the nodes, and each of them has some. */
export const isShared = (nodes: ReadonlyArray<ClusterNode>): Effect.Effect<boolean> =>
  Effect.map(Effect.forEach(nodes, clusterOf, { concurrency: "unbounded" }), (views) => {
    const owned = new Map<number, number>()
    for (const view of views) {
      if (view?.node?.owned === undefined || view.node.owned.length === 0) return false
      for (const { partition } of view.node.owned) owned.set(partition, (owned.get(partition) ?? 0) + 1)
    }
    return owned.size === views[0]!.partitions && [...owned.values()].every((owners) => owners === 1)
  })

/**
 * Until they have been shared for so long without a break: a Redis that came back empty is
 * noticed by the next refresh only. Answers since when, `performance.now()`.
 */
export const untilShared = (nodes: ReadonlyArray<ClusterNode>, steadyMillis = 0): Effect.Effect<number> =>
  Effect.suspend(() => {
    let since: number | undefined
    return isShared(nodes).pipe(
      Effect.map((shared) => {
        const now = performance.now()
        since = shared ? (since ?? now) : undefined
        return since !== undefined && now - since >= steadyMillis
      }),
      Effect.delay("100 millis"),
      Effect.repeat({ until: (steady) => steady }),
      Effect.map(() => since ?? performance.now())
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: "60 seconds",
      orElse: () => Effect.die(new Error(`the partitions are not shared:\n${nodes.map(({ said }) => said).join("\n")}`))
    })
  )

/** All claims so far, with their places in the log. */
export const claimsOf = ({ direct, stores }: ClusterRig): Effect.Effect<ReadonlyArray<ClaimPlace>> =>
  stores === "postgres" ? sqlClaims(direct["DATABASE_URL"]!) : kurrentClaims(direct["KURRENTDB_URL"]!)

/** The first makes the tables, the others come at once. */
export const startNodes = Effect.fnUntraced(function* ({ direct, nodes, stores }: ClusterRig) {
  const [first, ...others] = nodes
  yield* first!.start
  if (stores === "postgres") yield* keepClaims(direct["DATABASE_URL"]!)
  yield* Effect.forEach(others, (node) => node.start, { concurrency: "unbounded" })
  yield* untilShared(nodes)
})
