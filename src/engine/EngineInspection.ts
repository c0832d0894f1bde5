/**
 * What whoever is on call asks of the engine itself: one wallet in every store, and the comparison and repair of it.
 * All of it is read within the share of reads, page by page, so that a long history takes no time that commands need.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { type ActivityView, AppendActivity } from "../actors/AppendActivity.ts"
import { RateLimited } from "../actors/EngineError.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { Ownership } from "../actors/Ownership.ts"
import type { ActorStatus } from "../actors/WalletActor.ts"
import { type RegistryLoad, WalletRegistry } from "../actors/WalletRegistry.ts"
import { InvalidRequest, WalletNotFound } from "../domain/Rejection.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import { type EventUnreadable, QueryTooWide, type ReadError } from "../stores/StoreError.ts"
import { inspect, type InspectReport } from "./Inspect.ts"
import { wrongId } from "./QueryForm.ts"
import { ReadShare } from "./ReadShare.ts"
import type { VerifyReport } from "./verify/Report.ts"
import { verify } from "./verify/Verify.ts"

type InspectionFailure = WalletNotFound | InvalidRequest | ReadError | EventUnreadable | RateLimited

export interface EngineInspection {
  /** The log, the actor on this node, Persistence and the read model side by side. `WalletNotFound`: none has it. */
  readonly inspectWallet: (walletId: string) => Effect.Effect<InspectReport, InspectionFailure>
  /**
   * Compares the wallet with the log, event by event; `repair`: and replaces rows and documents that differ. One at a
   * time on a node: `RateLimited`. `QueryTooWide`: it is not done within 50 seconds; a repair has
   * happened then as a whole, or not at all.
   */
  readonly verifyWallet: (
    walletId: string,
    options?: { readonly repair?: boolean | undefined }
  ) => Effect.Effect<VerifyReport, InspectionFailure | QueryTooWide>
  /** Of this node, at most a second old. */
  readonly actors: Effect.Effect<ActorsView>
}

/** This node's wallets in memory, and what they do. */
export interface ActorsView {
  /** Milliseconds. */
  readonly time: number
  /** Of this start of the process. */
  readonly incarnation: string
  /** Of the installation, … */
  readonly partitions: number
  /** … and of this node. */
  readonly owned: number
  readonly load: RegistryLoad
  /** Bytes that the resident ones may take. */
  readonly maxResidentBytes: number
  /** Commands that one wallet's mailbox takes. */
  readonly maxMailbox: number
  /** At most `listedActors`, the deepest first. */
  readonly deepest: ReadonlyArray<readonly [walletId: string, status: ActorStatus]>
  readonly activity: ActivityView
}

/** Wallets of each list. */
const listedActors = 20

/** Whoever asks more often is told the same: a look goes over all busy wallets. */
const actorsPeriod = "1 second"

/** Shorter than what clients and proxies wait for an answer. */
const verifyWithin = "50 seconds"

/** Milliseconds after which another may be asked for. */
const verifyRetryMillis = 2_000

const tooLong = (walletId: string) =>
  new QueryTooWide({
    detail: `the history is too long to be compared in one answer: wallet verify --wallet ${walletId}`
  })

const busy = new RateLimited({ detail: "another wallet is being verified on this node", retryAfter: verifyRetryMillis })

const makeActorsView = Effect.fnUntraced(function* ({ mailboxCommands, residentBytes }: ActorBounds) {
  const clock = yield* Clock.Clock
  const registry = yield* WalletRegistry
  const activity = yield* AppendActivity
  const { epochOf, partitions } = yield* Ownership
  const { owner: incarnation } = yield* NodeIdentity
  const look = Effect.sync((): ActorsView => {
    let owned = 0
    for (let partition = 0; partition < partitions; partition++) if (epochOf(partition) !== undefined) owned++
    return {
      time: clock.currentTimeMillisUnsafe(),
      incarnation,
      partitions,
      owned,
      load: registry.load(),
      maxResidentBytes: residentBytes,
      maxMailbox: mailboxCommands,
      deepest: registry.deepest(listedActors),
      activity: activity.view(listedActors)
    }
  })
  return yield* Effect.cachedWithTTL(look, actorsPeriod)
})

export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const share = yield* ReadShare
  const log = yield* EventStore
  const persistence = yield* Persistence
  const context = yield* Effect.context<EventStore | Persistence | ReadModel>()
  const oneAtATime = yield* Semaphore.make(1)

  const asked = Effect.fnUntraced(function* (walletId: string) {
    const detail = wrongId(walletId)
    if (detail !== undefined) return yield* new InvalidRequest({ detail })
  })

  const known = Effect.fnUntraced(function* (walletId: string) {
    const [first] = yield* log.read(walletId, { after: -1, limit: 1 })
    if (first !== undefined || (yield* persistence.wallet(walletId)) !== undefined) return
    return yield* new WalletNotFound({ walletId })
  })

  const inspectWallet: EngineInspection["inspectWallet"] = Effect.fnUntraced(function* (walletId) {
    yield* asked(walletId)
    yield* share.query(known(walletId))
    return yield* share.query(Effect.provideContext(inspect(walletId), context))
  })

  const verifyWallet: EngineInspection["verifyWallet"] = Effect.fnUntraced(function* (walletId, { repair } = {}) {
    yield* asked(walletId)
    yield* share.query(known(walletId))
    const run = verify({
      walletId,
      repair,
      concurrency: 1,
      bounds: { slices: 1 },
      inTurn: (read) => share.page("verify", read)
    }).pipe(
      Effect.provideContext(context),
      Effect.timeoutOrElse({ duration: verifyWithin, orElse: () => Effect.fail(tooLong(walletId)) })
    )
    const turn = yield* oneAtATime.withPermitsIfAvailable(1)(run)
    return Option.isSome(turn) ? turn.value : yield* busy
  })

  return { inspectWallet, verifyWallet, actors: yield* makeActorsView(bounds) } satisfies EngineInspection
})
