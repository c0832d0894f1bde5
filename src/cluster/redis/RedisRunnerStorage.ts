/**
 * `RunnerStorage` of effect/cluster on Redis: which runners there are, and which of
 * them holds which shard.
 *
 * A lease here avoids that two runners own a shard at once; it does not prevent it. What
 * prevents harm is the claim in the log. So nothing here has to be right about
 * a runner that sleeps, a Redis that loses its memory or a clock that jumps; it has to be
 * quick, to keep owners where they are, and to move them when they are gone.
 *
 * **Owner** is the runner's address and the incarnation of its process: a process that
 * starts again at the same address is another owner and waits until the lease of the first
 * has run out; a late release or refresh of the first does nothing to it.
 *
 * **Redis does not answer**: `refresh` says that all is still held, up to the grace after the
 * last answer, and then fails, whereupon effect/cluster stops every entity of the node.
 * Meanwhile `acquire` gets nothing. The leases' clock stands still (`LeaseScripts`),
 * so that afterwards everybody has what they had: no hand-over takes place.
 *
 * **Redis comes back empty**: the next `refresh` finds no locks, and says so. They are not
 * made again by it: a runner cannot tell an emptied Redis from one in which another has
 * acquired and released since. The runners lose their shards, acquire them again (the
 * same ones, since the assignment follows from who is registered) and claim them anew in
 * the log; whoever is the first with a shard has it. Registrations are made again by a
 * refresh, since they tell of the runner itself and of nothing else.
 *
 * Commands a second and node: one per refresh, whatever the number of shards, one per
 * poll of the runners, one per poll for shards to acquire while some are missing. Nothing
 * per command or wallet.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import { HeldLeases, LeaseStatus, membersOf } from "./LeaseStatus.ts"
import { makeRedisConnection, type RedisCommandFailed, type RedisConnection } from "./Connection.ts"
import { type RedisLeaseOptions, type RedisLeaseSettings, settingsOf } from "./LeaseConfig.ts"
import { graceRefreshes, leasesHeld, leasesLost } from "../ClusterMetrics.ts"
import * as Scripts from "./LeaseScripts.ts"

/** effect/cluster tries a failed release again at once and for ever: this is its pace, milliseconds. */
const releaseRetryMillis = 250

interface Registration {
  readonly runner: string
  readonly healthy: boolean
}

/** The names of this cluster's keys. The braces are Redis Cluster's hash tag. */
const keysOf = (clusterName: string) => {
  const prefix = `wallet:{${encodeURIComponent(clusterName)}}`
  return {
    locks: `${prefix}:locks`,
    runners: `${prefix}:runners`,
    machines: `${prefix}:machines`,
    clock: `${prefix}:clock`
  }
}

const unexpected = (command: string, answer: unknown) =>
  Effect.fail(new PersistenceError({ cause: new Error(`Redis, ${command}: unexpected answer ${typeof answer}`) }))

const asPersistenceError = (failure: RedisCommandFailed) => new PersistenceError({ cause: failure })

const isTexts = (value: unknown): value is Array<string> =>
  Array.isArray(value) && value.every((item) => typeof item === "string")

const flag = (value: boolean): number => (value ? 1 : 0)

class Release extends Request.TaggedClass("Release")<
  { readonly address: string; readonly shard: string },
  void,
  PersistenceError
> {}

class RedisLeases {
  readonly #connection: RedisConnection
  readonly #clock: Clock.Clock
  readonly #settings: RedisLeaseSettings
  readonly #keys: ReturnType<typeof keysOf>
  readonly #held = new HeldLeases()
  readonly #registrations = new Map<string, Registration>()
  #order = 0
  #hasAddressConflict = false

  constructor(connection: RedisConnection, clock: Clock.Clock, settings: RedisLeaseSettings) {
    this.#connection = connection
    this.#clock = clock
    this.#settings = settings
    this.#keys = keysOf(settings.clusterName)
  }

  #owner(address: string): string {
    return `${this.#settings.incarnation} ${address}`
  }

  readonly register: RunnerStorage.Encoded["register"] = (address, runner, healthy) =>
    Effect.suspend(() => {
      const sentAt = this.#clock.monotonicTimeNanosUnsafe()
      const { clock, machines, runners } = this.#keys
      const args = [this.#settings.leaseMillis, this.#owner(address), address, runner, flag(healthy)]
      return Effect.flatMap(
        Effect.mapError(this.#connection.run(Scripts.register, [runners, clock, machines], args), asPersistenceError),
        (id) => {
          if (typeof id !== "number") return unexpected("register", id)
          this.#held.answered(sentAt)
          this.#registrations.set(address, { runner, healthy })
          return Effect.succeed(id)
        }
      )
    })

  readonly unregister: RunnerStorage.Encoded["unregister"] = (address) =>
    Effect.suspend(() => {
      // First: no refresh that is sent afterwards may bring it back.
      this.#registrations.delete(address)
      return this.#connection.run(Scripts.unregister, [this.#keys.runners], [this.#owner(address), address])
    }).pipe(Effect.mapError(asPersistenceError), Effect.asVoid)

  readonly getRunners: RunnerStorage.Encoded["getRunners"] = Effect.suspend(() =>
    this.#connection.run(Scripts.runners, [this.#keys.runners, this.#keys.clock], [this.#settings.leaseMillis])
  ).pipe(
    Effect.mapError(asPersistenceError),
    Effect.flatMap((answer) => {
      if (!Array.isArray(answer)) return unexpected("runners", answer)
      const found: Array<readonly [runner: string, healthy: boolean]> = []
      for (let i = 0; i + 1 < answer.length; i += 2) found.push([String(answer[i]), answer[i + 1] === 1])
      return Effect.succeed(found)
    })
  )

  readonly status = LeaseStatus.of({
    isConfirmed: (shard, since) => this.#held.isConfirmed(shard, since),
    answeredAt: () => this.#held.lastAnswerAt,
    members: Effect.suspend(() =>
      this.#connection.run(
        Scripts.members,
        [this.#keys.runners, this.#keys.clock, this.#keys.locks],
        [this.#settings.leaseMillis]
      )
    ).pipe(
      Effect.mapError(asPersistenceError),
      Effect.flatMap((answer) => (Array.isArray(answer) ? membersOf(answer) : unexpected("members", answer)))
    )
  })

  readonly setRunnerHealth: RunnerStorage.Encoded["setRunnerHealth"] = (address, healthy) =>
    Effect.suspend(() => this.#connection.run(Scripts.setHealth, [this.#keys.runners], [address, flag(healthy)])).pipe(
      Effect.mapError(asPersistenceError),
      Effect.asVoid
    )

  /** Nothing while Redis is away: what it may yet grant by a late command, the next call finds to be ours. */
  readonly acquire: RunnerStorage.Encoded["acquire"] = (address, shards) =>
    Effect.suspend(() => {
      const sentAt = this.#clock.monotonicTimeNanosUnsafe()
      const args = [this.#settings.leaseMillis, this.#owner(address), ++this.#order, ...shards]
      return Effect.flatMap(
        this.#connection.run(Scripts.acquire, [this.#keys.locks, this.#keys.clock], args),
        (taken): Effect.Effect<Array<string>, PersistenceError> => {
          if (!isTexts(taken)) return unexpected("acquire", taken)
          this.#held.answered(sentAt)
          for (const shard of taken) this.#held.of(address).add(shard)
          return Effect.as(this.#showHeld, taken)
        }
      )
    }).pipe(
      Effect.catchTag("RedisCommandFailed", (failure) =>
        failure.away ? Effect.succeed<Array<string>>([]) : Effect.fail(asPersistenceError(failure))
      )
    )

  readonly refresh: RunnerStorage.Encoded["refresh"] = (address, shards) =>
    Effect.suspend(() => {
      const sentAt = this.#clock.monotonicTimeNanosUnsafe()
      const { clock, locks, runners } = this.#keys
      const registration = this.#registrations.get(address)
      const args = [
        this.#settings.leaseMillis,
        this.#owner(address),
        address,
        registration?.runner ?? "",
        flag(registration?.healthy ?? true),
        ...shards
      ]
      return Effect.matchEffect(this.#connection.run(Scripts.refresh, [locks, clock, runners], args), {
        onFailure: (failure) => this.#refreshFromMemory(address, shards, failure),
        onSuccess: (answer): Effect.Effect<Array<string>, PersistenceError> => {
          if (!Array.isArray(answer) || !isTexts(answer[1])) return unexpected("refresh", answer)
          this.#held.answered(sentAt)
          return Effect.andThen(
            this.#logAddressConflict(address, answer[0] === 1),
            this.#applyRefresh(address, shards, answer[1])
          )
        }
      })
    })

  readonly release: RunnerStorage.Encoded["release"] = (address, shard) =>
    Effect.request(new Release({ address, shard }), this.#releases)

  readonly releaseAll: RunnerStorage.Encoded["releaseAll"] = (address) =>
    Effect.suspend(() =>
      this.#connection.run(Scripts.releaseAll, [this.#keys.locks], [this.#owner(address), ++this.#order])
    ).pipe(
      Effect.mapError(asPersistenceError),
      Effect.andThen(Effect.sync(() => this.#held.of(address).clear())),
      Effect.andThen(Effect.suspend(() => this.#showHeld))
    )

  /** effect/cluster gives shards back one by one, in one go: they travel together. */
  readonly #releases = RequestResolver.makeGrouped<Release, string>({
    key: ({ request }) => request.address,
    resolver: (entries, address) =>
      Effect.suspend(() => {
        const shards = entries.map(({ request }) => request.shard)
        return this.#connection.run(
          Scripts.release,
          [this.#keys.locks],
          [this.#owner(address), ++this.#order, ...shards]
        )
      }).pipe(
        Effect.tap(() => {
          for (const { request } of entries) this.#held.of(address).delete(request.shard)
          return this.#showHeld
        }),
        Effect.tapError(() => Effect.sleep(releaseRetryMillis)),
        Effect.mapError(asPersistenceError),
        Effect.exit,
        Effect.map((exit) => {
          for (const entry of entries) entry.completeUnsafe(Exit.asVoid(exit))
        })
      )
  })

  readonly #showHeld: Effect.Effect<void> = Effect.suspend(() => Metric.update(leasesHeld, this.#held.size))

  /** The answer while Redis gives none. */
  #refreshFromMemory(
    address: string,
    shards: ReadonlyArray<string>,
    failure: RedisCommandFailed
  ): Effect.Effect<Array<string>, PersistenceError> {
    if (!this.#held.isWithinGrace(this.#clock.monotonicTimeNanosUnsafe(), this.#settings.graceMillis)) {
      return Effect.fail(asPersistenceError(failure))
    }
    const held = this.#held.of(address)
    return Effect.as(
      Metric.update(graceRefreshes, 1),
      shards.filter((shard) => held.has(shard))
    )
  }

  /** Forgets what Redis no longer has in our name; answers the rest. */
  #applyRefresh(
    address: string,
    shards: ReadonlyArray<string>,
    absent: ReadonlyArray<string>
  ): Effect.Effect<Array<string>> {
    const held = this.#held.of(address)
    const lost = absent.filter((shard) => held.delete(shard)).length
    const missing = new Set(absent)
    const kept = shards.filter((shard) => !missing.has(shard))
    for (const shard of kept) held.add(shard)
    if (lost === 0) return Effect.as(this.#showHeld, kept)
    return Effect.logWarning(`leases: ${lost} of ${shards.length} shards are no longer this runner's`).pipe(
      Effect.andThen(Metric.update(leasesLost, lost)),
      Effect.andThen(this.#showHeld),
      Effect.as(kept)
    )
  }

  #logAddressConflict(address: string, conflict: boolean): Effect.Effect<void> {
    if (this.#hasAddressConflict === conflict) return Effect.void
    this.#hasAddressConflict = conflict
    return conflict
      ? Effect.logError(`leases: another live process is registered at this runner's address, ${address}`)
      : Effect.logInfo(`leases: the runner's address, ${address}, is its own again`)
  }
}

/** While Redis is not there it connects in the background, and all but a refresh within the grace fails at once. */
export const make = Effect.fnUntraced(function* (options: RedisLeaseOptions) {
  const settings = yield* settingsOf(options, Redacted.value(options.url))
  const connection = yield* makeRedisConnection(settings)
  const leases = new RedisLeases(connection, yield* Clock.Clock, settings)
  return Context.make(RunnerStorage.RunnerStorage, RunnerStorage.makeEncoded(leases)).pipe(
    Context.add(LeaseStatus, leases.status)
  )
})

export const layer = (options: RedisLeaseOptions) => Layer.effectContext(make(options))
