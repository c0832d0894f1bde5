/** Handlers of `TransactionsApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { pageJson, plainReply, respond, transactionJson } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { defaultLimit } from "../api/SchemaValues.ts"

export const transactionHandlers = HttpApiBuilder.group(
  WalletApi,
  "transactions",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw("search", ({ query }) =>
      respond(
        Effect.map(engine.searchTransactions({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
          plainReply(200, pageJson(page, transactionJson))
        )
      )
    )
  })
)
