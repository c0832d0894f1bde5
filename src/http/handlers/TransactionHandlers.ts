/** Handlers of `TransactionsApi` and `StatsApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletApi } from "../api/Api.ts"
import { defaultLimit } from "../api/SchemaValues.ts"
import { pageJson, plainReply, respondQuery, statsJson, transactionJson } from "../HttpReply.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"

export const transactionHandlers = HttpApiBuilder.group(
  WalletApi,
  "transactions",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers
      .handleRaw("search", ({ query }) =>
        respondQuery(
          Effect.map(engine.searchTransactions({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, transactionJson))
          )
        )
      )
      .handleRaw("get", ({ params }) =>
        respondQuery(
          Effect.map(engine.transaction(params.id), (transaction) => plainReply(200, transactionJson(transaction)))
        )
      )
  })
)

export const statsHandlers = HttpApiBuilder.group(
  WalletApi,
  "stats",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw("read", ({ query }) =>
      respondQuery(Effect.map(engine.stats(query), (stats) => plainReply(200, statsJson(stats))))
    )
  })
)
