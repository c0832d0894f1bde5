/**
 * Port: API keys and the installation record. Not derived from the log: they live
 * here alone and belong in the backup.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { KeyRestriction } from "../domain/KeyRestriction.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { ReadError } from "./StoreError.ts"

export type Scope = "wallets:read" | "wallets:write" | "admin"

export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  readonly createdAt: number
  /** From then on it opens nothing, milliseconds; absent: it does not expire. */
  readonly expiresAt?: number | undefined
  /** Absent: its scopes alone say what it may. */
  readonly restriction?: KeyRestriction | undefined
}

/** `hash`: SHA-256 of the secret, hex. Secrets are 256 random bits, so no salt or stretching is needed. */
export interface StoredApiKey extends ApiKey {
  readonly hash: string
  /** The secret before is good until then, milliseconds. */
  readonly previous?: { readonly hash: string; readonly until: number } | undefined
}

export class ApiKeyStore extends Context.Service<
  ApiKeyStore,
  {
    readonly insert: (key: StoredApiKey) => Effect.Effect<void, ReadError>
    /** The key with this id is this one from now on, whether there was one or not; several at once leave one of theirs. */
    readonly put: (key: StoredApiKey) => Effect.Effect<void, ReadError>
    /** Newest first. */
    readonly list: (page: PageRequest) => Effect.Effect<Page<ApiKey>, ReadError | InvalidRequest>
    /**
     * The key has another secret from now on, and the one that it had is good until then, milliseconds; `null`: it ends
     * at once. The one before that has ended in any case. `undefined`: there is no such key.
     */
    readonly roll: (
      id: string,
      secret: { readonly hash: string; readonly previousUntil: number | null }
    ) => Effect.Effect<StoredApiKey | undefined, ReadError>
    /** `false`: there is no such key. */
    readonly remove: (id: string) => Effect.Effect<boolean, ReadError>
    /** All keys with their hashes: read at start and every few seconds, so that a revocation reaches every node. */
    readonly all: Effect.Effect<ReadonlyArray<StoredApiKey>, ReadError>
    /**
     * Records what this installation was first started with and answers what is on
     * record: number of partitions, and the like. Fixed for ever.
     */
    readonly installation: (first: {
      readonly partitions: number
    }) => Effect.Effect<{ readonly partitions: number }, ReadError>
  }
>()("effect-wallet/stores/ApiKeyStore") {}
