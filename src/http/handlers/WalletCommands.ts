/** The commands of `WalletsApi`, each as a handler made for an engine. */
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { Await, WalletEngine } from "../../engine/WalletEngine.ts"
import { commandReply, respond } from "../HttpReply.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { commandOptions, mayLimit } from "./CommandOptions.ts"
import { bodyReader } from "../RequestBody.ts"
import { CreateWalletBody, MovementBody, StatusChangeBody, UpdateWalletBody } from "../api/Schemas.ts"

type Engine = WalletEngine["Service"]

/** What the definition has already decoded. */
interface CommandRequest {
  readonly request: HttpServerRequest
  readonly headers: { readonly "idempotency-key": string }
  readonly query: { readonly await?: Await }
}

interface WalletCommandRequest extends CommandRequest {
  readonly params: { readonly id: string }
}

const createBody = bodyReader(CreateWalletBody)
const updateBody = bodyReader(UpdateWalletBody)
const movementBody = bodyReader(MovementBody)
const statusBody = bodyReader(StatusChangeBody, { mayBeEmpty: true })

export const createWallet = (engine: Engine) =>
  Effect.fnUntraced(function* ({ headers, query, request }: CommandRequest) {
    const body = yield* createBody(request)
    const key = yield* CurrentKey
    yield* mayLimit(key, body.overdraftLimit)
    const options = yield* commandOptions(headers["idempotency-key"], query.await, key)
    const answer = yield* engine.createWallet({ ...body, ...options })
    return commandReply(201, options.await, answer)
  }, respond)

export const updateWallet = (engine: Engine) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* updateBody(request)
    const key = yield* CurrentKey
    yield* mayLimit(key, body.overdraftLimit)
    const options = yield* commandOptions(headers["idempotency-key"], query.await, key)
    const answer = yield* engine.updateWallet({ ...body, ...options, walletId: params.id })
    return commandReply(200, options.await, answer)
  }, respond)

export const movement = (run: Engine["credit"] | Engine["debit"]) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* movementBody(request)
    const options = yield* commandOptions(headers["idempotency-key"], query.await, yield* CurrentKey)
    const answer = yield* run({ ...body, ...options, walletId: params.id })
    return commandReply(201, options.await, answer)
  }, respond)

export const statusChange = (run: Engine["freeze"] | Engine["unfreeze"] | Engine["close"]) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* statusBody(request)
    const options = yield* commandOptions(headers["idempotency-key"], query.await, yield* CurrentKey)
    const answer = yield* run({ ...body, ...options, walletId: params.id })
    return commandReply(200, options.await, answer)
  }, respond)
