/**
 * API keys as the server needs them: a table of hashes in memory, read again
 * every two seconds, so that a key made or revoked on another node counts here
 * well within five; this node's own changes count at once.
 *
 * Secrets are 256 random bits; only their SHA-256 is kept, here and in the store.
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
import type { InvalidRequest } from "../domain/Rejection.ts"
import { type ApiKey, ApiKeyStore, type Scope, type StoredApiKey } from "../stores/ApiKeyStore.ts"
import type { Page, PageRequest } from "../stores/Page.ts"
import { type ReadError, StoreUnavailable } from "../stores/StoreError.ts"

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
    return `the configured API key must have ${minSecretLength} to 255 visible ASCII characters`
  }
}

export interface CreatedKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

interface Entry {
  readonly key: ApiKey
  readonly digest: Buffer
}

const digestOf = (secret: string): string => hash("sha256", secret, "hex")

const entryOf = ({ hash, ...key }: StoredApiKey): readonly [string, Entry] => [
  hash,
  { key, digest: Buffer.from(hash, "hex") }
]

const newSecret = (): string => `ew_${randomBytes(32).toString("base64url")}`

/** What the table knows and since when. */
class Table {
  entries = new Map<string, Entry>()
  readAt = -Infinity

  find(secret: string): ApiKey | undefined {
    const digest = digestOf(secret)
    const entry = this.entries.get(digest)
    // The map is keyed by the hash of a secret nobody can choose freely; the comparison itself takes constant time.
    return entry !== undefined && timingSafeEqual(entry.digest, Buffer.from(digest, "hex")) ? entry.key : undefined
  }
}

const make = Effect.gen(function* () {
  const store = yield* ApiKeyStore
  const table = new Table()
  // Readings and own changes one at a time: a reading begun before a revocation must not bring the key back.
  const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)

  const read = Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const keys = yield* store.all
    table.entries = new Map(keys.map(entryOf))
    table.readAt = startedAt
  })

  yield* oneAtATime(read).pipe(
    Effect.catch((error) => Effect.logWarning("API keys cannot be read; serving those known", error.message)),
    Effect.repeat(Schedule.spaced(refreshInterval)),
    Effect.forkScoped
  )

  /** Reads again unless that has just been done. */
  const readAfterMiss = oneAtATime(
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now - table.readAt >= missInterval) yield* read
    })
  ).pipe(
    Effect.catch((error) =>
      Effect.fail(new StoreUnavailable({ store: "keys", reason: error.message, retryAfter: refreshInterval }))
    )
  )

  const authenticate = Effect.fnUntraced(function* (
    secret: string
  ): Effect.fn.Return<ApiKey | undefined, StoreUnavailable> {
    const now = yield* Clock.currentTimeMillis
    const known = table.find(secret)
    if (known !== undefined && now - table.readAt < staleLimit) return known
    if (known === undefined && now - table.readAt < missInterval) return undefined
    yield* readAfterMiss
    return table.find(secret)
  })

  const insert = Effect.fnUntraced(function* (id: string, name: string, scopes: ReadonlyArray<Scope>, secret: string) {
    const createdAt = yield* Clock.currentTimeMillis
    const key: StoredApiKey = { id, name, scopes, createdAt, hash: digestOf(secret) }
    yield* store.insert(key)
    table.entries.set(...entryOf(key))
    return { id, name, scopes, createdAt } satisfies ApiKey
  })

  const forget = (id: string) => {
    for (const [digest, entry] of table.entries) if (entry.key.id === id) table.entries.delete(digest)
  }

  const create = Effect.fn("ApiKeys.create")(function* (name: string, scopes: ReadonlyArray<Scope>) {
    const secret = newSecret()
    const key = yield* oneAtATime(insert(randomUUID(), name, scopes, secret))
    return { key, secret: Redacted.make(secret) }
  })

  const remove = Effect.fn("ApiKeys.remove")(function* (id: string) {
    return yield* oneAtATime(
      Effect.gen(function* () {
        const removed = yield* store.remove(id)
        forget(id)
        return removed
      })
    )
  })

  const setConfigured = Effect.fnUntraced(function* (secret: string) {
    if (!/^[\x21-\x7e]+$/.test(secret) || secret.length < minSecretLength || secret.length > 255) {
      return yield* new WeakSecret()
    }
    const keys = yield* store.all
    if (keys.some((key) => key.hash === digestOf(secret))) return
    if (yield* store.remove(configuredId)) forget(configuredId)
    yield* insert(configuredId, configuredId, ["admin"], secret)
  })

  const ensureAdmin = Effect.fn("ApiKeys.ensureAdmin")(function* (configured: Redacted.Redacted | undefined) {
    return yield* oneAtATime(
      Effect.gen(function* () {
        if (configured !== undefined) {
          yield* setConfigured(Redacted.value(configured))
          return undefined
        }
        if ((yield* store.all).length > 0) return undefined
        const secret = newSecret()
        const key = yield* insert(randomUUID(), "admin", ["admin"], secret)
        return { key, secret: Redacted.make(secret) }
      })
    )
  })

  return { authenticate, create, remove, list: store.list, ensureAdmin } satisfies ApiKeys["Service"]
})

export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** The key with this secret, `undefined` when there is none; fails when that cannot be known. */
    readonly authenticate: (secret: string) => Effect.Effect<ApiKey | undefined, StoreUnavailable>
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
  static readonly layer = Layer.effect(ApiKeys, make)
}
