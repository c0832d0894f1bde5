/** A Persistence that fails or lags behind the log as it is told, and records what it is asked for. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Commit } from "../../src/domain/Commit.ts"
import type { KeyLookup, Persistence } from "../../src/stores/Persistence.ts"
import type { ReadError } from "../../src/stores/StoreError.ts"
import { StoreDefect, StoreUnavailable } from "../../src/stores/StoreError.ts"

type Lookup = Effect.Effect<ReadonlyArray<KeyLookup>, ReadError>

/** What becomes of one call; `call` is the real one. */
export type Fault = <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreUnavailable | StoreDefect>

const unavailable = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1_000 })

/** Fails before anything is written. */
export const away: Fault = () => Effect.fail(unavailable)

/** Writes; the answer is lost. */
export const answerLost: Fault = (call) => Effect.andThen(call, Effect.fail(unavailable))

/** Waits for `when`, then writes. */
export const heldUntil =
  (when: Deferred.Deferred<void>): Fault =>
  (call) =>
    Effect.andThen(Deferred.await(when), call)

/** Writes, and answers only after `when`. */
export const answerHeldUntil =
  (when: Deferred.Deferred<void>): Fault =>
  (call) =>
    Effect.tap(call, () => Deferred.await(when))

/** Never answers. */
export const silent: Fault = () => Effect.never

export const slow =
  (millis: number): Fault =>
  (call) =>
    Effect.delay(call, millis)

export const defective: Fault = () => Effect.fail(new StoreDefect({ store: "persistence", reason: "scripted" }))

/** Writes, then the driver throws. */
export const throwAfter: Fault = (call) => Effect.andThen(call, Effect.die(new Error("scripted")))

export interface FaultyPersistence {
  readonly store: Persistence["Service"]
  /** Faults of the next look-ups of keys, in order; then none. */
  readonly keyFaults: Array<(look: Lookup) => Lookup>
  /** Chooses the faults when the script is empty. */
  draw: (() => ((look: Lookup) => Lookup) | undefined) | undefined
  /** The keys of every look-up. */
  readonly keyQueries: Array<ReadonlyArray<string>>
  /** The wallets of every look-up. */
  readonly lookUpWallets: Array<ReadonlyArray<string>>
  /** The version up to which it has the wallets' keys (and of holds none); `undefined`: all. */
  behindAt: number | undefined
  /** Writes fail, as PostgreSQL does that is away. */
  writesAway: boolean
  /** Everything else fails so, too. */
  readsAway: boolean
  /** Faults of the next writes and refusals, in order; then `drawWrite` chooses. */
  readonly writeFaults: Array<Fault>
  readonly refuseFaults: Array<Fault>
  drawWrite: (() => Fault | undefined) | undefined
  /** Faults of the next reads that the pipeline makes, in order; then `drawRead` chooses. */
  readonly readFaults: Array<Fault>
  drawRead: (() => Fault | undefined) | undefined
  /** Writes of such commits fail by a defect, as a damaged row makes them. */
  damaged: ((commit: Commit) => boolean) | undefined
  /** Every write that was asked for, tries again included. */
  readonly writes: Array<ReadonlyArray<Commit>>
  /** From now on nothing that was or will be asked is ever answered, as if the process were gone. */
  readonly kill: () => void
}

export const make = (inner: Persistence["Service"]): FaultyPersistence => {
  let killed = false

  const mortal = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() =>
      killed ? Effect.never : Effect.flatMap(Effect.exit(call), (exit) => (killed ? Effect.never : exit))
    )

  const lagging = (lookup: KeyLookup): KeyLookup => {
    const limit = faulty.behindAt
    if (limit === undefined) return lookup
    return {
      persistedVersion: Math.min(lookup.persistedVersion, limit),
      seen: lookup.seen.filter(({ version }) => version <= limit)
    }
  }

  const under = <A, E>(fault: Fault | undefined, call: Effect.Effect<A, E>) =>
    fault === undefined ? call : fault(call)

  const writing = <A, E>(commits: ReadonlyArray<Commit>, script: Array<Fault>, call: Effect.Effect<A, E>) =>
    mortal(
      Effect.suspend((): Effect.Effect<A, E | StoreUnavailable | StoreDefect> => {
        if (faulty.writesAway) return Effect.fail(unavailable)
        const { damaged } = faulty
        if (damaged !== undefined && commits.some(damaged)) return defective(call)
        return under(script.shift() ?? faulty.drawWrite?.(), call)
      })
    )

  const reading = <A, E>(call: Effect.Effect<A, E>) =>
    mortal(
      Effect.suspend((): Effect.Effect<A, E | StoreUnavailable | StoreDefect> =>
        faulty.readsAway ? Effect.fail(unavailable) : under(faulty.readFaults.shift() ?? faulty.drawRead?.(), call)
      )
    )

  const faulty: FaultyPersistence = {
    keyFaults: [],
    draw: undefined,
    keyQueries: [],
    lookUpWallets: [],
    behindAt: undefined,
    writesAway: false,
    readsAway: false,
    writeFaults: [],
    refuseFaults: [],
    drawWrite: undefined,
    readFaults: [],
    drawRead: undefined,
    damaged: undefined,
    writes: [],
    kill: () => {
      killed = true
    },
    store: {
      ...inner,
      write: (commits, checkpoint) =>
        Effect.suspend(() => {
          faulty.writes.push(commits)
          return writing(commits, faulty.writeFaults, inner.write(commits, checkpoint))
        }),
      refuse: (commit, refusal, stillMay) =>
        writing([commit], faulty.refuseFaults, inner.refuse(commit, refusal, stillMay)),
      persistedVersions: (walletIds) => reading(inner.persistedVersions(walletIds)),
      openRefusals: (options) => reading(inner.openRefusals(options)),
      checkpoints: reading(inner.checkpoints),
      setCheckpoint: (owner, position) => reading(inner.setCheckpoint(owner, position)),
      hold: (walletId, holdId) =>
        Effect.suspend(() => {
          if (faulty.readsAway) return Effect.fail(unavailable)
          return faulty.behindAt === undefined ? inner.hold(walletId, holdId) : Effect.succeed(undefined)
        }),
      findKeys: (asked) =>
        mortal(
          Effect.suspend(() => {
            faulty.keyQueries.push(asked.flatMap(({ keys }) => keys))
            faulty.lookUpWallets.push(asked.map(({ walletId }) => walletId))
            if (faulty.readsAway) return Effect.fail(unavailable)
            const look = Effect.map(inner.findKeys(asked), (lookups) => lookups.map(lagging))
            const fault = faulty.keyFaults.shift() ?? faulty.draw?.()
            return fault === undefined ? look : fault(look)
          })
        )
    }
  }
  return faulty
}
