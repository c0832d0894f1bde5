/**
 * API keys as the server needs them: a table of hashes in memory, read again
 * every two seconds, so that a key made or revoked on another node counts here
 * well within five; this node's own changes count at once.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { hash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import { type ApiKey, ApiKeyStore, type Scope, type StoredApiKey } from "../stores/ApiKeyStore.ts"
import type { Page, PageRequest } from "../stores/Page.ts"
import { type ReadError, StoreUnavailable } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"

/** Hex. Secrets are 256 random bits, so a hash needs neither salt nor stretching. */
const digestOf = (secret: string): string => hash("sha256", secret, "hex")

const newSecret = (): string => `ew_${randomBytes(32).toString("base64url")}`

interface Entry {
  readonly key: ApiKey
  readonly digest: Buffer
}

const entryOf = ({ hash, ...key }: StoredApiKey): readonly [string, Entry] => [
  hash,
  { key, digest: Buffer.from(hash, "hex") }
]

/** The keys that this node knows, by the hash of their secrets, and since when. */
class ApiKeyTable {
  #entries = new Map<string, Entry>()
  /** Milliseconds: when the reading began that the table is from. */
  readAt = -Infinity

  replace(keys: ReadonlyArray<StoredApiKey>, readAt: number): void {
    this.#entries = new Map(keys.map(entryOf))
    this.readAt = readAt
  }

  add(key: StoredApiKey): void {
    this.#entries.set(...entryOf(key))
  }

  remove(id: string): void {
    for (const [digest, entry] of this.#entries) if (entry.key.id === id) this.#entries.delete(digest)
  }

  find(secret: string): ApiKey | undefined {
    const digest = digestOf(secret)
    const entry = this.#entries.get(digest)
    // The map is keyed by a hash that nobody can choose freely; the comparison itself takes constant time.
    return entry !== undefined && timingSafeEqual(entry.digest, Buffer.from(digest, "hex")) ? entry.key : undefined
  }
}

/** Milliseconds between two readings of the store. A revocation elsewhere takes this long, and the reading. */
export const refreshInterval = 2_000
/** Milliseconds for which known keys are served while the store does not answer; then nobody is let in. */
export const staleLimit = 60_000
/** Milliseconds between two readings that an unknown key may cause: it may be new on another node. */
export const missInterval = 250

/** Id of the key that configuration sets: a new secret replaces the old one. */
const configuredId = "configured"

/** A configured secret is at least this long, in visible ASCII characters. */
export const minSecretLength = 16

export class WeakSecret extends Schema.TaggedError<WeakSecret>()("WeakSecret", {}) {
  override get message(): string {
    return `the configured API key must have ${minSecretLength} to 255 visible ASCII characters (WALLET_API_KEY)`
  }
}

export interface CreatedKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

type Store = ApiKeyStore["Service"]

/** Readings and own changes, one at a time: a reading begun before a revocation must not bring the key back. */
type OneAtATime = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Who a secret belongs to; keeps the table fresh while the scope lasts. */
const makeReading = Effect.fnUntraced(function* (store: Store, table: ApiKeyTable, oneAtATime: OneAtATime) {
  const clock = yield* Clock.Clock

  const read = Effect.gen(function* () {
    const startedAt = elapsedMillis(clock)
    table.replace(yield* store.all, startedAt)
  })

  const outage = (yield* StoreOutages.current).of("keys")
  const asker = "API keys"
  yield* oneAtATime(read).pipe(
    Effect.andThen(outage.answered(asker)),
    Effect.catch((error) => outage.failed(asker, error.reason, "the API keys that are known are served meanwhile")),
    Effect.repeat(Schedule.spaced(refreshInterval)),
    Effect.forkScoped
  )

  const isFresherThan = (age: number): boolean => elapsedMillis(clock) - table.readAt < age

  const known = (secret: string): ApiKey | undefined => (isFresherThan(staleLimit) ? table.find(secret) : undefined)

  /** Reads again unless another has just done so. */
  const readAfterMiss = oneAtATime(Effect.suspend(() => (isFresherThan(missInterval) ? Effect.void : read))).pipe(
    Effect.catch((error) =>
      Effect.fail(new StoreUnavailable({ store: "keys", reason: error.message, retryAfter: refreshInterval }))
    )
  )

  const authenticate = (secret: string): Effect.Effect<ApiKey | undefined, StoreUnavailable> =>
    Effect.suspend(() => {
      const key = known(secret)
      if (key !== undefined || isFresherThan(missInterval)) return Effect.succeed(key)
      return Effect.map(readAfterMiss, () => table.find(secret))
    })

  return { known, authenticate }
})

const makeWriting = (store: Store, table: ApiKeyTable, oneAtATime: OneAtATime) => {
  const insert = Effect.fnUntraced(function* (id: string, name: string, scopes: ReadonlyArray<Scope>, secret: string) {
    const key: ApiKey = { id, name, scopes, createdAt: yield* Clock.currentTimeMillis }
    const stored = { ...key, hash: digestOf(secret) }
    yield* store.insert(stored)
    table.add(stored)
    return key
  })

  const remove = Effect.fnUntraced(function* (id: string) {
    const removed = yield* store.remove(id)
    table.remove(id)
    return removed
  })

  const create = Effect.fnUntraced(function* (name: string, scopes: ReadonlyArray<Scope>) {
    const secret = newSecret()
    const key = yield* insert(randomUUID(), name, scopes, secret)
    return { key, secret: Redacted.make(secret) }
  })

  const setConfigured = Effect.fnUntraced(function* (secret: string) {
    if (!/^[\x21-\x7e]+$/.test(secret) || secret.length < minSecretLength || secret.length > 255) {
      return yield* new WeakSecret()
    }
    const keys = yield* store.all
    if (keys.some((key) => key.hash === digestOf(secret))) return
    yield* remove(configuredId)
    yield* insert(configuredId, configuredId, ["admin"], secret)
  })

  const ensureAdmin = Effect.fnUntraced(function* (configured: Redacted.Redacted | undefined) {
    if (configured !== undefined) {
      yield* setConfigured(Redacted.value(configured))
      return undefined
    }
    return (yield* store.all).length > 0 ? undefined : yield* create("admin", ["admin"])
  })

  return {
    create: (name: string, scopes: ReadonlyArray<Scope>) => oneAtATime(create(name, scopes)),
    remove: (id: string) => oneAtATime(remove(id)),
    ensureAdmin: (configured: Redacted.Redacted | undefined) => oneAtATime(ensureAdmin(configured))
  }
}

const make = Effect.gen(function* () {
  const store = yield* ApiKeyStore
  const table = new ApiKeyTable()
  const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)
  const reading = yield* makeReading(store, table, oneAtATime)
  return { ...reading, ...makeWriting(store, table, oneAtATime), list: store.list }
})

export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** The key with this secret, `undefined` when there is none; fails when that cannot be known. */
    readonly authenticate: (secret: string) => Effect.Effect<ApiKey | undefined, StoreUnavailable>
    /** As far as the table knows: `undefined` may still be a key. */
    readonly known: (secret: string) => ApiKey | undefined
    readonly create: (name: string, scopes: ReadonlyArray<Scope>) => Effect.Effect<CreatedKey, ReadError>
    /** `false`: there is no such key. Counts on this node at once. */
    readonly remove: (id: string) => Effect.Effect<boolean, ReadError>
    readonly list: (page: PageRequest) => Effect.Effect<Page<ApiKey>, ReadError | InvalidRequest>
    /**
     * Makes sure that somebody can get in. With a configured secret: an admin key
     * with it, in place of an earlier configured one. Without: if there is no key
     * at all, makes an admin key and returns it, the only time its secret is seen.
     */
    readonly ensureAdmin: (
      configured: Redacted.Redacted | undefined
    ) => Effect.Effect<CreatedKey | undefined, ReadError | WeakSecret>
  }
>()("effect-wallet/http/ApiKeys") {
  static readonly layer: Layer.Layer<ApiKeys, never, ApiKeyStore> = Layer.effect(ApiKeys, make)
}
