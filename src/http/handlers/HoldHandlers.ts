/** Handlers of `HoldsApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { emptyPage, narrowed } from "../Visibility.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { commandReply, holdJson, pageJson, plainReply, respond, respondQuery } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { commandOptions } from "./CommandOptions.ts"
import { bodyReader } from "../RequestBody.ts"
import { CaptureHoldBody, ChangeHoldBody, NoBody, PlaceHoldBody } from "../api/Schemas.ts"
import { defaultLimit } from "../api/SchemaValues.ts"

const placeBody = bodyReader(PlaceHoldBody)
const captureBody = bodyReader(CaptureHoldBody, { mayBeEmpty: true })
const changeBody = bodyReader(ChangeHoldBody)
const noBody = bodyReader(NoBody, { mayBeEmpty: true })

export const holdHandlers = HttpApiBuilder.group(
  WalletApi,
  "holds",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine

    return handlers
      .handleRaw(
        "place",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* placeBody(request)
          const options = yield* commandOptions(headers, query, yield* CurrentKey)
          const result = yield* engine.placeHold({ ...body, ...options, walletId: params.id })
          return commandReply(201, options.await, result)
        }, respond)
      )
      .handleRaw(
        "capture",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* captureBody(request)
          const options = yield* commandOptions(headers, query, yield* CurrentKey)
          const { to, ...capture } = body
          const asked = { ...capture, ...options, walletId: params.id, holdId: params.holdId }
          const result =
            to === undefined ? yield* engine.captureHold(asked) : yield* engine.captureHoldTo({ ...asked, to })
          return commandReply(201, options.await, result)
        }, respond)
      )
      .handleRaw(
        "change",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* changeBody(request)
          const options = yield* commandOptions(headers, query, yield* CurrentKey)
          const result = yield* engine.changeHold({ ...body, ...options, walletId: params.id, holdId: params.holdId })
          return commandReply(200, options.await, result)
        }, respond)
      )
      .handleRaw(
        "release",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          yield* noBody(request)
          const options = yield* commandOptions(headers, query, yield* CurrentKey)
          const result = yield* engine.releaseHold({ ...options, walletId: params.id, holdId: params.holdId })
          return commandReply(201, options.await, result)
        }, respond)
      )
      .handleRaw("list", ({ params, query }) =>
        respondQuery(
          Effect.map(engine.holds({ ...query, walletId: params.id, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, holdJson))
          )
        )
      )
      .handleRaw(
        "get",
        Effect.fnUntraced(function* ({ params, query: { minVersion } }) {
          // The list waits until Persistence has the version; then so does the hold.
          if (minVersion !== undefined) yield* engine.holds({ walletId: params.id, limit: 1, minVersion })
          const hold = yield* engine.hold(params.id, params.holdId)
          return plainReply(200, holdJson(hold))
        }, respondQuery)
      )
      .handleRaw("search", ({ query }) =>
        respondQuery(
          Effect.gen(function* () {
            const asked = yield* narrowed(engine, yield* CurrentKey, { ...query, limit: query.limit ?? defaultLimit })
            const page = asked === undefined ? emptyPage : yield* engine.searchHolds(asked)
            return plainReply(200, pageJson(page, holdJson))
          })
        )
      )
  })
)
