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
import { emptyPage, mayRefundTransaction, narrowed, transactionSeen } from "../Visibility.ts"
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
          Effect.gen(function* () {
            const asked = yield* narrowed(engine, yield* CurrentKey, { ...query, limit: query.limit ?? defaultLimit })
            const page = asked === undefined ? emptyPage : yield* engine.searchTransactions(asked)
            return plainReply(200, pageJson(page, transactionJson))
          })
        )
      )
      .handleRaw(
        "refund",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* refundBody(request)
          const key = yield* CurrentKey
          const options = yield* commandOptions(headers, query, key)
          yield* mayRefundTransaction(engine, key, params.id)
          const result = yield* engine.refundTransaction({ ...body, ...options, transactionId: params.id })
          return commandReply(201, options.await, result)
        }, respond)
      )
      .handleRaw("get", ({ params }) =>
        respondQuery(
          Effect.gen(function* () {
            const read = engine.transaction(params.id)
            return plainReply(200, transactionJson(yield* transactionSeen(engine, yield* CurrentKey, params.id, read)))
          })
        )
      )
  })
)

const noStats = { transactions: [], wallets: [] }

export const statsHandlers = HttpApiBuilder.group(
  WalletApi,
  "stats",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw("read", ({ query }) =>
      respondQuery(
        Effect.gen(function* () {
          const asked = yield* narrowed(engine, yield* CurrentKey, query)
          return plainReply(200, statsJson(asked === undefined ? noStats : yield* engine.stats(asked)))
        })
      )
    )
  })
)
