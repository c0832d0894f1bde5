/**
 * Why a replay stops. It never appends, so it can resolve nothing by itself: each of
 * these names the event, and what its owner can do.
 */
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import type * as StoreIdentity from "../../pipeline/StoreIdentity.ts"

/** A rule of the user's refuses the rows of an event that was never reversed. */
export class ReplayRefused extends Schema.TaggedError<ReplayRefused>()("ReplayRefused", {
  walletId: Schema.String,
  version: Schema.Int,
  type: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return (
      `a rule of the database refuses event ${this.version} (${this.type}) of wallet ${this.walletId}, and the log ` +
      `has no reversal of it: ${this.reason}; change the rule, or let a service reverse the event, and replay again`
    )
  }
}

/** Another event is persisted than the log has at that version, or the rows are damaged. */
export class ReplayDiverged extends Schema.TaggedError<ReplayDiverged>()("ReplayDiverged", {
  walletId: Schema.String,
  persistedVersion: Schema.Int
}) {
  override get message(): string {
    return (
      `the rows of wallet ${this.walletId} up to version ${this.persistedVersion} are not those of the log: ` +
      `replace them by: wallet replay --wallet ${this.walletId}`
    )
  }
}

/** The stores do not fit together. */
export type StoresApart = Exclude<Layer.Error<typeof StoreIdentity.layer>, ReadError | EventUnreadable | InvalidRequest>

/** All that can end a replay before its end. */
export type ReplayError = ReadError | EventUnreadable | ReplayRefused | ReplayDiverged | StoresApart
