/** Handlers of `WalletsApi`: its commands (`WalletCommands.ts`) and its queries. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { RecordedEvent } from "../../domain/Event.ts"
import { publicData, publicType } from "../../domain/PublicEvent.ts"
import { InvalidRequest } from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { pageJson, plainReply, respond, transactionJson, walletJson } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { createWallet, movement, statusChange, updateWallet } from "./WalletCommands.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"

const ambiguous = new InvalidRequest({ detail: "at most one of minVersion, atVersion and at can be asked for" })

const eventJson = (recorded: RecordedEvent) => ({
  version: recorded.version,
  type: publicType(recorded.event),
  time: formatTime(recorded.time),
  data: publicData(recorded.event)
})

export const walletHandlers = HttpApiBuilder.group(
  WalletApi,
  "wallets",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers
      .handleRaw("create", createWallet(engine))
      .handleRaw("update", updateWallet(engine))
      .handleRaw("credit", movement(engine.credit))
      .handleRaw("debit", movement(engine.debit))
      .handleRaw("freeze", statusChange(engine.freeze))
      .handleRaw("unfreeze", statusChange(engine.unfreeze))
      .handleRaw("close", statusChange(engine.close))
      .handleRaw(
        "get",
        Effect.fnUntraced(function* ({ params, query: { at, atVersion, minVersion } }) {
          const walletId = params.id
          if ([at, atVersion, minVersion].filter((value) => value !== undefined).length > 1) return yield* ambiguous
          const read =
            at !== undefined
              ? engine.walletAt({ walletId, at })
              : atVersion !== undefined
                ? engine.walletAt({ walletId, atVersion })
                : engine.getWallet({ walletId, minVersion })
          return plainReply(200, walletJson(yield* read))
        }, respond)
      )
      .handleRaw(
        "search",
        Effect.fnUntraced(function* ({ query }) {
          const page = yield* engine.searchWallets({ ...query, limit: query.limit ?? defaultLimit })
          return plainReply(200, pageJson(page, walletJson))
        }, respond)
      )
      .handleRaw(
        "transactions",
        Effect.fnUntraced(function* ({ params, query }) {
          const limit = query.limit ?? defaultLimit
          const page = yield* engine.transactions({ ...query, walletId: params.id, limit })
          return plainReply(200, pageJson(page, transactionJson))
        }, respond)
      )
      .handleRaw(
        "events",
        Effect.fnUntraced(function* ({ params, query }) {
          const limit = query.limit ?? defaultLimit
          const events = yield* engine.events({ walletId: params.id, after: query.after ?? -1, limit })
          const last = events.length < limit ? undefined : events.at(-1)
          return plainReply(200, { data: events.map(eventJson), next: last?.version.toString() ?? null })
        }, respond)
      )
  })
)
