/** The engine's queries of the read model: search over all wallets, and what they add up to. */
import * as Effect from "effect/Effect"
import type { RateLimited } from "../actors/EngineError.ts"
import { SearchProgress } from "../search/SearchProgress.ts"
import { Persistence } from "../stores/Persistence.ts"
import { ReadModel } from "../stores/ReadModel.ts"
import { hasPrefix } from "../stores/SearchWords.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { detailsOf, makeRefundedReads } from "./Answers.ts"
import type { EngineSearch } from "./EngineApi.ts"
import {
  asked,
  ownSearch,
  wrongHoldSearch,
  wrongStats,
  wrongTransactionSearch,
  wrongTransferSearch,
  wrongWalletSearch
} from "./QueryForm.ts"
import { ReadShare } from "./ReadShare.ts"

/** Where a store is does not concern callers. */
const withoutHosts = (reason: string): string =>
  reason
    .replace(/(?:https?:\/\/[^\s,:]+(?::\d+)?(?:, )?)+:? ?/g, "")
    .replace(/ ?\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?/g, "")
    .replace(/(ENOTFOUND|EAI_AGAIN) \S+/g, "$1")

const named = (failure: StoreUnavailable): StoreUnavailable =>
  new StoreUnavailable({ ...failure, detail: `search is not available now: ${withoutHosts(failure.reason)}` })

export const make = Effect.fnUntraced(function* (): Effect.fn.Return<
  EngineSearch,
  never,
  ReadModel | Persistence | ReadShare | SearchProgress
> {
  const model = yield* ReadModel
  const persistence = yield* Persistence
  const refunded = makeRefundedReads(persistence)
  const share = yield* ReadShare
  const { index } = yield* SearchProgress
  /** Nothing is told of an index that is another installation's. */
  const inTurn = <A, E>(
    read: Effect.Effect<A, E>,
    isSlow = false
  ): Effect.Effect<A, E | RateLimited | StoreUnavailable> => {
    if (index === undefined) return share.search(read)
    const ask = isSlow ? share.searchIndexSlowly(read) : share.searchIndex(read)
    return Effect.suspend((): Effect.Effect<A, E | RateLimited | StoreUnavailable> => {
      const refusal = index.refusal()
      if (refusal !== undefined) return Effect.fail(named(refusal))
      return Effect.catchIf(
        ask,
        (error) => error instanceof StoreUnavailable,
        (failure) => Effect.andThen(index.suspect, Effect.fail(named(failure)))
      )
    })
  }
  return {
    searchWallets: asked(
      wrongWalletSearch,
      (query) =>
        Effect.map(inTurn(model.searchWallets(query), hasPrefix(query.q)), ({ data, next }) => ({
          data: data.map(detailsOf),
          next
        })),
      ownSearch
    ),
    searchTransactions: asked(
      wrongTransactionSearch,
      (query) =>
        Effect.flatMap(inTurn(model.searchTransactions(query), hasPrefix(query.q)), ({ data, next }) =>
          Effect.map(share.query(refunded.ofTransactions(data)), (shown) => ({ data: shown, next }))
        ),
      ownSearch
    ),
    searchTransfers: asked(
      wrongTransferSearch,
      (query) =>
        Effect.flatMap(inTurn(model.searchTransfers(query), hasPrefix(query.q)), ({ data, next }) =>
          Effect.map(share.query(refunded.ofTransfers(data)), (shown) => ({ data: shown, next }))
        ),
      ownSearch
    ),
    searchHolds: asked(wrongHoldSearch, (query) => inTurn(model.searchHolds(query), hasPrefix(query.q)), ownSearch),
    stats: asked(wrongStats, (query) => inTurn(model.stats({ ...query, interval: query.interval ?? "day" }), true))
  }
})
