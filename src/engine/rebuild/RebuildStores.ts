/**
 * What a rebuild works on (the ports, wallets' states, their events as what Persistence takes, the index where
 * search has one of its own), and why one stops. It never appends, so it can resolve nothing by itself: each error
 * names the event, and what its owner can do.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { WalletHistory } from "../../actors/WalletHistory.ts"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import type * as StoreIdentity from "../../pipeline/StoreIdentity.ts"
import type { EventStore } from "../../stores/EventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import { SearchIndex } from "../../stores/SearchIndex.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"

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
      `has no reversal of it: ${this.reason}; let the rule pass it, and replay again`
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

/** All that can end a rebuild before its end. */
export type ReplayError = ReadError | EventUnreadable | ReplayRefused | ReplayDiverged | StoresApart

/** The ports, and wallets' states from the log. */
export interface RebuildStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly history: WalletHistory["Service"]
}

export type WriteError = ReadError | EventUnreadable | ReplayRefused | ReplayDiverged

/** A store that is away is asked again for about 20 s: longer is an outage, and the rebuild can be taken up later. */
const patience = {
  schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]),
  times: 14,
  while: (error: { readonly _tag: string }) => error._tag === "StoreUnavailable"
}

/** For a step that may be done twice. */
export const patiently = <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>) =>
  Effect.retry(step, patience)

/** What was done; grows with the rebuild. */
export interface RebuildCounts {
  /** Read from the log. */
  events: number
  /** Of these, given to Persistence: their rows were not known to be there. */
  written: number
  /** Of these, refused again by a user's rule, as they were before. */
  refused: number
}

/** The state after the event of that version, which the log must have; `-1`: before the first. */
export const stateAt = Effect.fnUntraced(function* (
  { history }: RebuildStores,
  walletId: string,
  version: number
): Effect.fn.Return<Wallet | undefined, ReadError | EventUnreadable> {
  if (version < 0) return undefined
  const wallet = yield* history.atVersion(walletId, version)
  if (wallet !== undefined) return wallet
  return yield* new StoreDefect({ store: "log", reason: `it has no event ${version} of wallet ${walletId}` })
})

/** A commit with the state before it: what a rule refuses is taken apart. */
export interface RebuildCommit extends Commit {
  readonly before: Wallet | undefined
}

/** One wallet's events as what Persistence takes. `state`: after the last of them. */
export const commitOf = (
  before: Wallet | undefined,
  state: Wallet,
  events: ReadonlyArray<RecordedEvent>
): RebuildCommit => ({
  before,
  walletId: state.id,
  partition: 0,
  epoch: events[events.length - 1]!.metadata.epoch,
  expectedVersion: events[0]!.version - 1,
  events,
  wallet: state
})

/** Whose high watermark it is: that of all rebuilds there ever were. */
const highWatermarkOwner = "rebuild"

/** What was read of the log is about to be written: from now on it may have been persisted (`pipeline/HighWatermark.ts`). */
export const announce = ({ log }: RebuildStores): Effect.Effect<void, ReadError> =>
  log.writesPersistence
    ? Effect.void
    : Effect.flatMap(log.head, ({ position }) =>
        Effect.asVoid(log.raiseHighWatermark({ owner: highWatermarkOwner, position }))
      )

/** Search reads the rows: it has nothing of its own to rebuild. */
export class SearchNotSeparate extends Schema.TaggedError<SearchNotSeparate>()("SearchNotSeparate", {}) {
  override get message(): string {
    return "search reads the rows of PostgreSQL: it has nothing of its own to rebuild"
  }
}

/** The index; fails where there is none. */
export const separateIndex: Effect.Effect<SearchIndex["Service"], SearchNotSeparate> = Effect.flatMap(
  Effect.serviceOption(SearchIndex),
  Option.match({ onNone: () => Effect.fail(new SearchNotSeparate()), onSome: Effect.succeed })
)
