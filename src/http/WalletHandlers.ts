/** Handlers of `WalletsApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { RecordedEvent } from "../domain/Event.ts"
import { publicData, publicType } from "../domain/PublicEvent.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { type Await, WalletEngine } from "../engine/WalletEngine.ts"
import { commandAnswer, pageJson, plainAnswer, respond, transactionJson, walletJson } from "./Answer.ts"
import { WalletApi } from "./Api.ts"
import { CurrentKey } from "./Authorization.ts"
import { commandOptions, mayLimit } from "./CommandInput.ts"
import { bodyReader } from "./RequestBody.ts"
import { CreateWalletBody, MovementBody, StatusChangeBody, UpdateWalletBody } from "./Wire.ts"
import { defaultLimit, formatTime } from "./WireValue.ts"

const createBody = bodyReader(CreateWalletBody)
const updateBody = bodyReader(UpdateWalletBody)
const movementBody = bodyReader(MovementBody)
const statusBody = bodyReader(StatusChangeBody, { mayBeEmpty: true })

/** What credit, debit and the changes of status get from the definition. */
interface WalletCommandRequest {
  readonly request: HttpServerRequest
  readonly params: { readonly id: string }
  readonly headers: { readonly "idempotency-key": string }
  readonly query: { readonly await?: Await }
}

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

    const movement = (kind: "credit" | "debit") => {
      const run = engine[kind]
      return Effect.fnUntraced(function* (request: WalletCommandRequest) {
        const body = yield* movementBody(request.request)
        const options = yield* commandOptions(
          request.headers["idempotency-key"],
          request.query.await,
          yield* CurrentKey
        )
        const answer = yield* run({ ...body, ...options, walletId: request.params.id })
        return commandAnswer(201, options.await, answer)
      }, respond)
    }

    const statusChange = (kind: "freeze" | "unfreeze" | "close") => {
      const run = engine[kind]
      return Effect.fnUntraced(function* (request: WalletCommandRequest) {
        const body = yield* statusBody(request.request)
        const options = yield* commandOptions(
          request.headers["idempotency-key"],
          request.query.await,
          yield* CurrentKey
        )
        const answer = yield* run({ ...body, ...options, walletId: request.params.id })
        return commandAnswer(200, options.await, answer)
      }, respond)
    }

    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ headers, query, request }) {
          const body = yield* createBody(request)
          const key = yield* CurrentKey
          yield* mayLimit(key, body.overdraftLimit)
          const options = yield* commandOptions(headers["idempotency-key"], query.await, key)
          const answer = yield* engine.createWallet({ ...body, ...options })
          return commandAnswer(201, options.await, answer)
        }, respond)
      )
      .handleRaw(
        "update",
        Effect.fnUntraced(function* ({ headers, params, query, request }) {
          const body = yield* updateBody(request)
          const key = yield* CurrentKey
          yield* mayLimit(key, body.overdraftLimit)
          const options = yield* commandOptions(headers["idempotency-key"], query.await, key)
          const answer = yield* engine.updateWallet({ ...body, ...options, walletId: params.id })
          return commandAnswer(200, options.await, answer)
        }, respond)
      )
      .handleRaw("credit", movement("credit"))
      .handleRaw("debit", movement("debit"))
      .handleRaw("freeze", statusChange("freeze"))
      .handleRaw("unfreeze", statusChange("unfreeze"))
      .handleRaw("close", statusChange("close"))
      .handleRaw(
        "get",
        Effect.fnUntraced(function* ({ params, query: { at, atVersion, minVersion } }) {
          const walletId = params.id
          if ([at, atVersion, minVersion].filter((value) => value !== undefined).length > 1) return yield* ambiguous
          const wallet =
            at !== undefined
              ? yield* engine.walletAt({ walletId, at })
              : atVersion !== undefined
                ? yield* engine.walletAt({ walletId, atVersion })
                : yield* engine.getWallet({ walletId, minVersion })
          return plainAnswer(200, walletJson(wallet))
        }, respond)
      )
      .handleRaw("search", ({ query }) =>
        respond(
          Effect.map(engine.searchWallets({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainAnswer(200, pageJson(page, walletJson))
          )
        )
      )
      .handleRaw("transactions", ({ params, query }) =>
        respond(
          Effect.map(
            engine.transactions({ ...query, walletId: params.id, limit: query.limit ?? defaultLimit }),
            (page) => plainAnswer(200, pageJson(page, transactionJson))
          )
        )
      )
      .handleRaw("events", ({ params, query }) => {
        const limit = query.limit ?? defaultLimit
        return respond(
          Effect.map(engine.events({ walletId: params.id, after: query.after ?? -1, limit }), (events) => {
            const last = events.length < limit ? undefined : events.at(-1)
            return plainAnswer(200, {
              data: events.map(eventJson),
              next: last === undefined ? null : last.version.toString()
            })
          })
        )
      })
  })
)
