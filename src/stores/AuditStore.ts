/**
 * Port: what admins have done, and what keys were refused. Only ever added to; not derived from the log, it lives
 * here alone and belongs in the backup.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { ReadError } from "./StoreError.ts"

export type AuditOutcome = "done" | "refused"

export interface AuditEntry {
  /** Milliseconds; of what was refused several times, the first within a minute. */
  readonly time: number
  /** How often: 1 of what was done. */
  readonly count: number
  /** Of the API key; `null`: the command line, on the stores themselves. */
  readonly keyId: string | null
  readonly keyName: string
  /** As `key.create`; of what was refused, the operation's. */
  readonly action: string
  readonly outcome: AuditOutcome
  /** The id of what it was done to. */
  readonly target: string | null
  readonly detail: string | null
}

/** All filters have to hold. */
export interface AuditQuery extends PageRequest {
  /** Inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Inclusive, milliseconds. */
  readonly to?: number | undefined
  readonly keyId?: string | undefined
  readonly action?: string | undefined
}

export class AuditStore extends Context.Service<
  AuditStore,
  {
    /** All of them or none. */
    readonly add: (entries: ReadonlyArray<AuditEntry>) => Effect.Effect<void, ReadError>
    /** Newest first, by the order of writing. */
    readonly list: (query: AuditQuery) => Effect.Effect<Page<AuditEntry>, ReadError | InvalidRequest>
    /** Removes at most `limit` entries from before `time`, milliseconds, the oldest; answers how many. */
    readonly prune: (time: number, limit: number) => Effect.Effect<number, ReadError>
  }
>()("effect-wallet/stores/AuditStore") {}
