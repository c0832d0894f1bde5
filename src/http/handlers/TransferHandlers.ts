/** Handlers of `TransfersApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import type { TransferSearch } from "../../stores/ReadModel.ts"
import { pageJson, plainReply, respond, respondQuery, transferReply, transferJson } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { commandOptions } from "./CommandOptions.ts"
import { transferInput } from "./TransferInputs.ts"
import { bodyReader, maxTransferSigns } from "../RequestBody.ts"
import { RefundTransferBody, TransferBody } from "../api/Schemas.ts"
import { defaultLimit } from "../api/SchemaValues.ts"
import { noteWallet } from "../WalletNode.ts"
import {
  emptyPage,
  mayRefundTransfer,
  maySearchTransfers,
  maySend,
  narrowed,
  transferSeen,
  transfersSeen
} from "../Visibility.ts"

const transferBody = bodyReader(TransferBody, { maxSigns: maxTransferSigns })
const refundBody = bodyReader(RefundTransferBody, { mayBeEmpty: true })

/** What Persistence lists by: these work without search, and show at once what was answered. */
const listed: ReadonlySet<string> = new Set(["walletId", "status", "limit", "cursor"])

/** The pages of one query come from one place, for its filters decide; both go by the same positions. */
const transfersOf = (engine: WalletEngine["Service"], query: TransferSearch) =>
  Object.keys(query).every((name) => listed.has(name)) ? engine.transfers(query) : engine.searchTransfers(query)

export const transferHandlers = HttpApiBuilder.group(
  WalletApi,
  "transfers",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers
      .handleRaw(
        "send",
        Effect.fnUntraced(function* ({ headers, query, request }) {
          const body = yield* transferBody(request)
          noteWallet(request, body.legs === undefined ? body.from : body.legs[0]?.from)
          const key = yield* CurrentKey
          const options = yield* commandOptions(headers, query, key)
          yield* maySend(engine, key, body)
          return transferReply(options.await, yield* engine.transfer(transferInput(body, options)))
        }, respond)
      )
      .handleRaw(
        "refund",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* refundBody(request)
          const key = yield* CurrentKey
          const options = yield* commandOptions(headers, query, key)
          yield* mayRefundTransfer(engine, key, params.id, body.leg)
          const result = yield* engine.refundTransfer({ ...body, ...options, transferId: params.id })
          return transferReply(options.await, result)
        }, respond)
      )
      .handleRaw("get", ({ params }) =>
        respondQuery(
          Effect.gen(function* () {
            const read = engine.getTransfer(params.id)
            return plainReply(200, transferJson(yield* transferSeen(engine, yield* CurrentKey, params.id, read)))
          })
        )
      )
      .handleRaw("list", ({ query }) =>
        respondQuery(
          Effect.gen(function* () {
            const key = yield* CurrentKey
            yield* maySearchTransfers(key, query)
            const asked = yield* narrowed(engine, key, { ...query, limit: query.limit ?? defaultLimit }, true)
            const found = asked === undefined ? emptyPage : yield* transfersOf(engine, asked)
            return plainReply(200, pageJson(yield* transfersSeen(engine, key, query, found), transferJson))
          })
        )
      )
  })
)
