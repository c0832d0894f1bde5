/** Handlers of `TransactionsApi` and `StatsApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { RefundTransactionBody } from "../api/Schemas.ts"
import { defaultLimit } from "../api/SchemaValues.ts"
import { commandReply, pageJson, plainReply, respond, respondQuery, statsJson, transactionJson } from "../HttpReply.ts"
import { bodyReader } from "../RequestBody.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { commandOptions } from "./CommandOptions.ts"

const refundBody = bodyReader(RefundTransactionBody, { mayBeEmpty: true })

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
      .handleRaw(
        "refund",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* refundBody(request)
          const options = yield* commandOptions(headers, query, yield* CurrentKey)
          const result = yield* engine.refundTransaction({ ...body, ...options, transactionId: params.id })
          return commandReply(201, options.await, result)
        }, respond)
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
