/**
 * API keys as the server needs them: a table of hashes in memory, read again
 * every two seconds, so that a key made or revoked on another node counts here
 * well within five; this node's own changes count at once.
 *
 * A store that does not answer is asked once at a time, whoever waits: all who wait are
 * told together, and whoever comes later at once, until it answers again. Keys that are in the table
 * need no store, for as long as the table may be believed.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
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
  /** From then on the secret opens nothing, milliseconds of the wall clock. */
  readonly until: number
}

/** By the hash of its secret, and of the one before. */
const entriesOf = ({ hash, previous, ...key }: StoredApiKey): ReadonlyArray<readonly [string, Entry]> => {
  const until = key.expiresAt ?? Infinity
  const entry = (of: string, end: number) => [of, { key, digest: Buffer.from(of, "hex"), until: end }] as const
  return previous === undefined
    ? [entry(hash, until)]
    : [entry(previous.hash, Math.min(previous.until, until)), entry(hash, until)]
}

type Entries = Map<string, Entry>

const addTo = (entries: Entries, key: StoredApiKey): void => {
  for (const [digest, entry] of entriesOf(key)) entries.set(digest, entry)
}

/** The keys that this node knows, by the hash of their secrets, and since when. */
class ApiKeyTable {
  #entries: Entries = new Map()
  /** What this node has changed since the reading began that is under way: that may not have seen it. */
  #changes: Array<(entries: Entries) => void> = []
  /** Milliseconds: when the reading began that the table is from. */
  readAt = -Infinity

  #change(apply: (entries: Entries) => void): void {
    apply(this.#entries)
    this.#changes.push(apply)
  }

  /** A reading begins; there is one at a time. */
  begin(): void {
    this.#changes = []
  }

  replace(keys: ReadonlyArray<StoredApiKey>, readAt: number): void {
    this.#entries = new Map(keys.flatMap(entriesOf))
    for (const apply of this.#changes) apply(this.#entries)
    this.readAt = readAt
  }

  add(key: StoredApiKey): void {
    this.remove(key.id)
    this.#change((entries) => addTo(entries, key))
  }

  remove(id: string): void {
    this.#change((entries) => {
      for (const [digest, entry] of entries) if (entry.key.id === id) entries.delete(digest)
    })
  }

  /** `now`: of the wall clock, milliseconds. */
  find(secret: string, now: number): ApiKey | undefined {
    const digest = digestOf(secret)
    const entry = this.#entries.get(digest)
    if (entry !== undefined && now >= entry.until) return undefined
    // The map is keyed by a hash that nobody can choose freely; the comparison itself takes constant time.
    return entry !== undefined && timingSafeEqual(entry.digest, Buffer.from(digest, "hex")) ? entry.key : undefined
  }
}

/** Milliseconds between two readings of the store. A revocation elsewhere takes this long, and the reading. */
export const refreshInterval = 2_000
/**
 * Milliseconds for which known keys are served while the store does not answer; then nobody is let in.
 * Within them a revocation on another node is not known here: the one exception to the 5 s it takes else.
 */
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

/** Nobody could get in any more. */
export class LastAdminKey extends Schema.TaggedError<LastAdminKey>()("LastAdminKey", {}) {
  override get message(): string {
    return "this is the last admin key: make another one first"
  }
}

/** Its secret stands in the configuration: a new one is set there. */
export class KeyConfigured extends Schema.TaggedError<KeyConfigured>()("KeyConfigured", {}) {
  override get message(): string {
    return "the secret of this key is set by WALLET_API_KEY"
  }
}

/** What bounds a key beside its scopes. */
export type KeyBounds = Pick<ApiKey, "expiresAt" | "restriction">

export interface CreatedKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

type Store = ApiKeyStore["Service"]

/**
 * Runs `effect` at most once at a time: who comes while it runs waits for its end and has its
 * result. It belongs to the scope, not to who asked first and may leave.
 */
const makeShared = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const scope = yield* Effect.scope
  let running: Deferred.Deferred<A, E> | undefined
  const begin = (deferred: Deferred.Deferred<A, E>) => {
    running = deferred
    const ended = (exit: Exit.Exit<A, E>) =>
      Effect.sync(() => {
        running = undefined
        Deferred.doneUnsafe(deferred, exit)
      })
    return Effect.forkIn(Effect.onExit(effect, ended), scope)
  }
  return Effect.uninterruptibleMask((restore) => {
    if (running !== undefined) return restore(Deferred.await(running))
    const deferred = Deferred.makeUnsafe<A, E>()
    return Effect.andThen(begin(deferred), restore(Deferred.await(deferred)))
  })
})

/** Who a secret belongs to; keeps the table fresh while the scope lasts. */
const makeReading = Effect.fnUntraced(function* (store: Store, table: ApiKeyTable) {
  const clock = yield* Clock.Clock
  /** The last reading's: until one succeeds, nobody else waits for what comes of the next. */
  let failure: StoreUnavailable | undefined

  const read = yield* makeShared(
    Effect.suspend(() => {
      const startedAt = elapsedMillis(clock)
      table.begin()
      return Effect.map(store.all, (keys) => {
        table.replace(keys, startedAt)
        failure = undefined
      })
    }).pipe(
      Effect.mapError((error) => {
        failure = new StoreUnavailable({ store: "keys", reason: error.message, retryAfter: refreshInterval })
        return failure
      })
    )
  )

  const outage = (yield* StoreOutages.current).of("keys")
  const asker = "API keys"
  yield* read.pipe(
    Effect.andThen(outage.answered(asker)),
    Effect.catch((error) => outage.failed(asker, error.reason, "the API keys that are known are served meanwhile")),
    Effect.repeat(Schedule.spaced(refreshInterval)),
    Effect.forkScoped
  )

  const isFresherThan = (age: number): boolean => elapsedMillis(clock) - table.readAt < age

  const find = (secret: string): ApiKey | undefined => table.find(secret, clock.currentTimeMillisUnsafe())

  const known = (secret: string): ApiKey | undefined => (isFresherThan(staleLimit) ? find(secret) : undefined)

  const authenticate = (secret: string): Effect.Effect<ApiKey | undefined, StoreUnavailable> =>
    Effect.suspend(() => {
      const key = known(secret)
      if (key !== undefined || isFresherThan(missInterval)) return Effect.succeed(key)
      if (failure !== undefined) return Effect.fail(failure)
      const needed = elapsedMillis(clock) - missInterval
      // The reading that is under way may have begun before the key was made: then there is one more.
      return Effect.flatMap(read, () =>
        table.readAt >= needed || find(secret) !== undefined
          ? Effect.succeed(find(secret))
          : Effect.map(read, () => find(secret))
      )
    })

  return { known, authenticate }
})

const newKey = Effect.fnUntraced(function* (
  id: string,
  name: string,
  scopes: ReadonlyArray<Scope>,
  secret: string,
  { expiresAt, restriction }: KeyBounds = {}
): Effect.fn.Return<StoredApiKey> {
  return {
    id,
    name,
    scopes,
    createdAt: yield* Clock.currentTimeMillis,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(restriction === undefined ? {} : { restriction }),
    hash: digestOf(secret)
  }
})

/** One that expires lets nobody in for good. */
const isAdmin = ({ expiresAt, scopes }: ApiKey): boolean => scopes.includes("admin") && expiresAt === undefined

/** One change at a time: what is revoked is not added behind that. */
const makeWriting = Effect.fnUntraced(function* (store: Store, table: ApiKeyTable) {
  const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)

  const remove = Effect.fnUntraced(function* (id: string) {
    const removed = yield* store.remove(id)
    table.remove(id)
    return removed
  })

  const revoke = Effect.fnUntraced(function* (id: string) {
    const admins = (yield* store.all).filter(isAdmin)
    if (admins.length === 1 && admins[0]!.id === id) return yield* new LastAdminKey()
    return yield* remove(id)
  })

  const insert = Effect.fnUntraced(function* ({ hash, ...key }: StoredApiKey) {
    yield* store.insert({ ...key, hash })
    table.add({ ...key, hash })
    return key
  })

  const create = Effect.fnUntraced(function* (name: string, scopes: ReadonlyArray<Scope>, bounds: KeyBounds) {
    const secret = newSecret()
    const key = yield* insert(yield* newKey(randomUUID(), name, scopes, secret, bounds))
    return { key, secret: Redacted.make(secret) }
  })

  const roll = Effect.fnUntraced(function* (id: string, graceMillis: number) {
    if (id === configuredId) return yield* new KeyConfigured()
    const secret = newSecret()
    const now = yield* Clock.currentTimeMillis
    const previousUntil = graceMillis > 0 ? now + graceMillis : null
    const stored = yield* store.roll(id, { hash: digestOf(secret), previousUntil })
    if (stored === undefined) return undefined
    table.add(stored)
    const { hash: _, previous: _previous, ...key } = stored
    return { key, secret: Redacted.make(secret) }
  })

  /** Several nodes that start at once do the same: one of them is enough. */
  const setConfigured = Effect.fnUntraced(function* (secret: string) {
    if (!/^[\x21-\x7e]+$/.test(secret) || secret.length < minSecretLength || secret.length > 255) {
      return yield* new WeakSecret()
    }
    const key = yield* newKey(configuredId, configuredId, ["admin"], secret)
    const keys = yield* store.all
    if (keys.some(({ hash }) => hash === key.hash)) return
    yield* store.put(key)
    table.add(key)
  })

  /** Kept before it counts: a process that dies between the two leaves a secret that opens nothing, and not a key that nobody has. */
  const makeFirst = Effect.fnUntraced(function* <E>(keep: (secret: Redacted.Redacted) => Effect.Effect<void, E>) {
    if ((yield* store.all).length > 0) return undefined
    const secret = Redacted.make(newSecret())
    yield* keep(secret)
    const key = yield* insert(yield* newKey(randomUUID(), "admin", ["admin"], Redacted.value(secret)))
    return { key, secret }
  })

  return {
    create: (name: string, scopes: ReadonlyArray<Scope>, bounds: KeyBounds = {}) =>
      oneAtATime(create(name, scopes, bounds)),
    roll: (id: string, graceMillis: number) => oneAtATime(roll(id, graceMillis)),
    remove: (id: string) => oneAtATime(remove(id)),
    revoke: (id: string) => oneAtATime(revoke(id)),
    setConfigured: (secret: Redacted.Redacted) => oneAtATime(setConfigured(Redacted.value(secret))),
    makeFirst: <E>(keep: (secret: Redacted.Redacted) => Effect.Effect<void, E>) => oneAtATime(makeFirst(keep))
  }
})

const make = Effect.gen(function* () {
  const store = yield* ApiKeyStore
  const table = new ApiKeyTable()
  return { ...(yield* makeReading(store, table)), ...(yield* makeWriting(store, table)), list: store.list }
})

export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** The key with this secret, `undefined` when there is none; fails when that cannot be known. */
    readonly authenticate: (secret: string) => Effect.Effect<ApiKey | undefined, StoreUnavailable>
    /** As far as the table knows: `undefined` may still be a key. */
    readonly known: (secret: string) => ApiKey | undefined
    readonly create: (
      name: string,
      scopes: ReadonlyArray<Scope>,
      bounds?: KeyBounds
    ) => Effect.Effect<CreatedKey, ReadError>
    /**
     * A new secret for a key; the one that it had is good for so many milliseconds, and any before that for none.
     * `undefined`: there is no such key. Counts on this node at once.
     */
    readonly roll: (id: string, graceMillis: number) => Effect.Effect<CreatedKey | undefined, ReadError | KeyConfigured>
    /** `false`: there is no such key. Counts on this node at once. */
    readonly remove: (id: string) => Effect.Effect<boolean, ReadError>
    /** As `remove`, for callers over the network: not the last one with the scope `admin`. */
    readonly revoke: (id: string) => Effect.Effect<boolean, ReadError | LastAdminKey>
    readonly list: (page: PageRequest) => Effect.Effect<Page<ApiKey>, ReadError | InvalidRequest>
    /** Makes the configured secret that of an admin key, in place of an earlier configured one. */
    readonly setConfigured: (secret: Redacted.Redacted) => Effect.Effect<void, ReadError | WeakSecret>
    /**
     * If there is no key at all, makes an admin key and returns it, the only time its secret is
     * seen. `keep` has the secret before the key counts.
     */
    readonly makeFirst: <E>(
      keep: (secret: Redacted.Redacted) => Effect.Effect<void, E>
    ) => Effect.Effect<CreatedKey | undefined, ReadError | E>
  }
>()("effect-wallet/http/ApiKeys") {
  static readonly layer: Layer.Layer<ApiKeys, never, ApiKeyStore> = Layer.effect(ApiKeys, make)
}
