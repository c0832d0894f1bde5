/**
 * Which of the other nodes this one cannot ask, since when and why. The connections tell
 * (`PeerConnections`); operators read it in `/health/ready` and the metrics.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { unreachableNodes } from "./ClusterMetrics.ts"

/** Milliseconds: a node that starts again is not worth a word. */
const worthAWord = 2_000

/** Nodes that are told by name. */
const namedNodes = 3

interface Failing {
  readonly since: number
  readonly reason: string
  told: boolean
}

class Peers {
  readonly #clock: Clock.Clock
  readonly #failing = new Map<string, Failing>()

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  readonly failed = (address: string, reason: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const now = elapsedMillis(this.#clock)
      const failing = this.#failing.get(address) ?? { since: now, reason, told: false }
      this.#failing.set(address, failing)
      if (failing.told || now - failing.since < worthAWord) return this.#show
      failing.told = true
      return Effect.andThen(this.#show, Effect.logWarning(`the node at ${address} cannot be asked: ${reason}`))
    })

  /** Synchronous and O(1) while nothing fails: it is called for every message. */
  readonly answered = (address: string): Effect.Effect<void> | undefined => {
    const failing = this.#failing.get(address)
    if (failing === undefined) return undefined
    this.#failing.delete(address)
    if (!failing.told) return this.#show
    const seconds = Math.round((elapsedMillis(this.#clock) - failing.since) / 1_000)
    return Effect.andThen(this.#show, Effect.logInfo(`the node at ${address} answers again, after ${seconds} s`))
  }

  readonly retain = (addresses: ReadonlySet<string>): Effect.Effect<void> =>
    Effect.suspend(() => {
      for (const address of this.#failing.keys()) if (!addresses.has(address)) this.#failing.delete(address)
      return this.#show
    })

  readonly trouble = (): string | undefined => {
    const now = elapsedMillis(this.#clock)
    const lasting = Array.from(this.#failing).filter(([, { since }]) => now - since >= worthAWord)
    if (lasting.length === 0) return undefined
    const named = lasting
      .slice(0, namedNodes)
      .map(([address, { reason, since }]) => `${address} for ${Math.round((now - since) / 1_000)} s: ${reason}`)
    return `${lasting.length} of the other nodes cannot be asked (${named.join("; ")})`
  }

  readonly #show: Effect.Effect<void> = Effect.suspend(() => Metric.update(unreachableNodes, this.#failing.size))
}

export class PeerStatus extends Context.Service<
  PeerStatus,
  {
    /** A connection to `address` (`host:port`) cannot be made, ended, or is not understood. */
    readonly failed: (address: string, reason: string) => Effect.Effect<void>
    /** A message of that node's has come. `undefined`: nothing is to be done about it. */
    readonly answered: (address: string) => Effect.Effect<void> | undefined
    /** All others are no nodes any more, and nobody wants to ask them. */
    readonly retain: (addresses: ReadonlySet<string>) => Effect.Effect<void>
    /** For an operator; `undefined`: every node that was asked has answered. */
    readonly trouble: () => string | undefined
  }
>()("effect-wallet/cluster/PeerStatus") {
  static readonly layer: Layer.Layer<PeerStatus> = Layer.effect(
    PeerStatus,
    Effect.map(Clock.Clock, (clock) => PeerStatus.of(new Peers(clock)))
  )
}
