/** What is done to an installation of several nodes, and undone again. */
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import type { TcpProxy } from "../support/tcpProxy.ts"
import type { ClusterNode, ClusterRig } from "./ClusterRig.ts"

export const disturbanceKinds = [
  "kill",
  "freeze",
  "restart",
  "redis-freeze",
  "redis-restart",
  "redis-flush",
  "cut-redis",
  "cut-log",
  "cut-peers"
] as const

export type DisturbanceKind = (typeof disturbanceKinds)[number]

/** What was seen of it beside its end. */
export interface Disturbed {
  /** What must not be; empty: nothing. */
  readonly problems: ReadonlyArray<string>
}

export interface DisturbanceOptions {
  readonly leaseMillis: number
  readonly random: (below: number) => number
  readonly node: ClusterNode
}

/** A stop takes no longer, ms. */
const stopLimitMillis = 10_000

const fine: Disturbed = { problems: [] }

/** At once, as a process that is gone, or as a network that swallows everything. */
const cut = (proxy: TcpProxy, silent: boolean): Effect.Effect<void> =>
  silent ? proxy.set({ _tag: "Hold" }) : Effect.andThen(proxy.set({ _tag: "Refuse" }), proxy.drop)

/** What was held is thrown away: a connection that stood still for so long is dead by then. */
const heal = (proxy: TcpProxy): Effect.Effect<void> => Effect.andThen(proxy.drop, proxy.set({ _tag: "Pass" }))

const restart = Effect.fnUntraced(function* (node: ClusterNode) {
  const started = performance.now()
  const code = yield* node.end("SIGTERM")
  const millis = Math.round(performance.now() - started)
  yield* node.start
  const problems = [
    ...(code === 0 ? [] : [`${node.name} ended with ${code} on SIGTERM`]),
    ...(millis <= stopLimitMillis ? [] : [`${node.name} took ${millis} ms to stop`])
  ]
  return { problems }
})

const flush = (rig: ClusterRig) =>
  Effect.promise(async () => {
    const redis = new Redis(rig.redis.url)
    await redis.flushall()
    redis.disconnect()
  })

/** Does it and undoes it; the installation then has to mend itself. */
export const disturb = (
  rig: ClusterRig,
  kind: DisturbanceKind,
  { leaseMillis, node, random }: DisturbanceOptions
): Effect.Effect<Disturbed> => {
  /** Long enough that the others take over. */
  const beyondLease = Effect.suspend(() => Effect.sleep(leaseMillis * 1.5 + random(leaseMillis)))
  /** So short that it may be over before anybody notices, or as long. */
  const anyTime = Effect.suspend(() => Effect.sleep(200 + random(leaseMillis * 2)))
  const between = (begin: Effect.Effect<void>, pause: Effect.Effect<void>, end: Effect.Effect<void>) =>
    begin.pipe(Effect.andThen(pause), Effect.andThen(end), Effect.as(fine))
  const cutting = (proxy: TcpProxy, pause: Effect.Effect<void>) =>
    between(cut(proxy, random(2) === 0), pause, heal(proxy))
  switch (kind) {
    case "kill":
      return between(Effect.asVoid(node.end("SIGKILL")), anyTime, node.start)
    case "freeze":
      return between(node.signal("SIGSTOP"), beyondLease, node.signal("SIGCONT"))
    case "restart":
      return restart(node)
    case "redis-freeze":
      return between(rig.redis.freeze, anyTime, rig.redis.thaw)
    case "redis-restart":
      return between(rig.redis.kill, anyTime, rig.redis.start)
    case "redis-flush":
      return Effect.as(flush(rig), fine)
    case "cut-redis":
      return cutting(node.proxies.redis, beyondLease)
    case "cut-log":
      return cutting(node.proxies.log, anyTime)
    case "cut-peers":
      return cutting(node.proxies.peers, anyTime)
  }
}
