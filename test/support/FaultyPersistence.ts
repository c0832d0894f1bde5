/** A Persistence that fails or lags behind the log as it is told, and records the look-ups of keys. */
import * as Effect from "effect/Effect"
import type { KeyLookup, Persistence } from "../../src/stores/Persistence.ts"
import type { ReadError } from "../../src/stores/StoreError.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"

type Lookup = Effect.Effect<KeyLookup, ReadError>

export interface FaultyPersistence {
  readonly store: Persistence["Service"]
  /** Faults of the next look-ups of keys, in order; then none. */
  readonly keyFaults: Array<(look: Lookup) => Lookup>
  /** Chooses the faults when the script is empty. */
  draw: (() => ((look: Lookup) => Lookup) | undefined) | undefined
  /** The keys of every look-up. */
  readonly lookUps: Array<ReadonlyArray<string>>
  /** The version up to which it has the wallets' keys (and of holds none); `undefined`: all. */
  behindAt: number | undefined
  /** Writes fail, as PostgreSQL does that is away. */
  writesAway: boolean
}

const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1_000 })

export const make = (inner: Persistence["Service"]): FaultyPersistence => {
  const lagging = (lookup: KeyLookup): KeyLookup => {
    const limit = faulty.behindAt
    if (limit === undefined) return lookup
    return {
      persistedVersion: Math.min(lookup.persistedVersion, limit),
      seen: lookup.seen.filter(({ version }) => version <= limit)
    }
  }
  const faulty: FaultyPersistence = {
    keyFaults: [],
    draw: undefined,
    lookUps: [],
    behindAt: undefined,
    writesAway: false,
    store: {
      ...inner,
      write: (commits, mark) =>
        Effect.suspend(() => (faulty.writesAway ? Effect.fail(away) : inner.write(commits, mark))),
      hold: (walletId, holdId) =>
        Effect.suspend(() =>
          faulty.behindAt === undefined ? inner.hold(walletId, holdId) : Effect.succeed(undefined)
        ),
      findKeys: (walletId, keys) =>
        Effect.suspend(() => {
          faulty.lookUps.push(keys)
          const look = Effect.map(inner.findKeys(walletId, keys), lagging)
          const fault = faulty.keyFaults.shift() ?? faulty.draw?.()
          return fault === undefined ? look : fault(look)
        })
    }
  }
  return faulty
}
