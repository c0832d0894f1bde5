/**
 * Port: API keys and the installation record. Not derived from the log: they live
 * here alone and belong in the backup.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Page, PageRequest } from "./Page.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { ReadError } from "./StoreError.ts"

export type Scope = "wallets:read" | "wallets:write" | "admin"

export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  readonly createdAt: number
}

/** `hash`: SHA-256 of the secret, hex. Secrets are 256 random bits, so no salt or stretching is needed. */
export interface StoredApiKey extends ApiKey {
  readonly hash: string
}

export class ApiKeyStore extends Context.Service<
  ApiKeyStore,
  {
    readonly insert: (key: StoredApiKey) => Effect.Effect<void, ReadError>
    /** The key with this id is this one from now on, whether there was one or not; several at once leave one of theirs. */
    readonly put: (key: StoredApiKey) => Effect.Effect<void, ReadError>
    /** Newest first. */
    readonly list: (page: PageRequest) => Effect.Effect<Page<ApiKey>, ReadError | InvalidRequest>
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
