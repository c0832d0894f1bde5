/** Handlers of `WalletsApi`, commands and queries. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import {
  CreateWalletBody,
  DebitBody,
  FreezeBody,
  MovementBody,
  StatusChangeBody,
  UpdateWalletBody
} from "../api/Schemas.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"
import {
  commandReply,
  pageJson,
  plainReply,
  respond,
  respondQuery,
  transactionJson,
  walletJson,
  walletReply
} from "../HttpReply.ts"
import { bodyReader } from "../RequestBody.ts"
import { publicData, publicType } from "../../domain/PublicEvent.ts"
import { InvalidRequest } from "../../domain/Rejection.ts"
import { type CommandAnswer, type DryRunAnswer, type ToldEvent, WalletEngine } from "../../engine/WalletEngine.ts"
import type { CommandError } from "../../actors/EngineError.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { AuditLog } from "../AuditLog.ts"
import { emptyPage, mayCreate, narrowed } from "../Visibility.ts"
import {
  auditForced,
  auditing,
  type CommandHeaders,
  commandOptions,
  type CommandQuery,
  isForced,
  mayForce,
  mayLimit
} from "./CommandOptions.ts"
import { noteWallet } from "../WalletNode.ts"
import { statementHandler } from "./StatementHandler.ts"

type Engine = WalletEngine["Service"]

/** What the definition has already decoded. */
interface CommandRequest {
  readonly request: HttpServerRequest
  readonly headers: CommandHeaders
  readonly query: CommandQuery
}

interface WalletCommandRequest extends CommandRequest {
  readonly params: { readonly id: string }
}

const createBody = bodyReader(CreateWalletBody)
const updateBody = bodyReader(UpdateWalletBody)
const movementBody = bodyReader(MovementBody)
const debitBody = bodyReader(DebitBody)
const freezeBody = bodyReader(FreezeBody, { mayBeEmpty: true })
const statusBody = bodyReader(StatusChangeBody, { mayBeEmpty: true })

/** To name a limit is the admin's, and on record. */
const limitNamed = (
  audit: AuditLog["Service"],
  key: ApiKey,
  overdraftLimit: bigint | undefined,
  command: Effect.Effect<CommandAnswer | DryRunAnswer<CommandAnswer>, CommandError>
) =>
  overdraftLimit === undefined
    ? command
    : auditing(audit, key, "wallet.overdraftLimit", undefined, `overdraftLimit ${overdraftLimit}`)(command)

const createWallet = (engine: Engine, audit: AuditLog["Service"]) =>
  Effect.fnUntraced(function* ({ headers, query, request }: CommandRequest) {
    const body = yield* createBody(request)
    const key = yield* CurrentKey
    yield* mayLimit(key, body.overdraftLimit)
    yield* mayCreate(key, body)
    const options = yield* commandOptions(headers, query, key)
    noteWallet(request, body.id)
    const result = yield* limitNamed(audit, key, body.overdraftLimit, engine.createWallet({ ...body, ...options }))
    noteWallet(request, result.wallet.id)
    return commandReply(201, options.await, result)
  }, respond)

const updateWallet = (engine: Engine, audit: AuditLog["Service"]) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* updateBody(request)
    const key = yield* CurrentKey
    yield* mayLimit(key, body.overdraftLimit)
    const options = yield* commandOptions(headers, query, key)
    const updated = engine.updateWallet({ ...body, ...options, walletId: params.id })
    const result = yield* limitNamed(audit, key, body.overdraftLimit, updated)
    return commandReply(200, options.await, result)
  }, respond)

const credit = (engine: Engine) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* movementBody(request)
    const options = yield* commandOptions(headers, query, yield* CurrentKey)
    const result = yield* engine.credit({ ...body, ...options, walletId: params.id })
    return commandReply(201, options.await, result)
  }, respond)

const debit = (engine: Engine, audit: AuditLog["Service"]) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* debitBody(request)
    const key = yield* CurrentKey
    yield* mayForce(key, body.force)
    const options = yield* commandOptions(headers, query, key)
    const debited = engine.debit({ ...body, ...options, walletId: params.id })
    const result = yield* isForced(body) ? auditForced(audit, key, params.id, debited) : debited
    return commandReply(201, options.await, result)
  }, respond)

const freeze = (engine: Engine, audit: AuditLog["Service"]) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* freezeBody(request)
    const key = yield* CurrentKey
    const options = yield* commandOptions(headers, query, key)
    const frozen = engine.freeze({ ...body, ...options, walletId: params.id })
    const result = yield* auditing(audit, key, "wallet.freeze", params.id, body.reason ?? undefined)(frozen)
    return commandReply(200, options.await, result)
  }, respond)

const statusChange = (run: Engine["unfreeze"] | Engine["close"], audit: AuditLog["Service"], action: string) =>
  Effect.fnUntraced(function* ({ headers, params, query, request }: WalletCommandRequest) {
    const body = yield* statusBody(request)
    const key = yield* CurrentKey
    const options = yield* commandOptions(headers, query, key)
    const changed = run({ ...body, ...options, walletId: params.id })
    const result = yield* auditing(audit, key, action, params.id, body.reason ?? undefined)(changed)
    return commandReply(200, options.await, result)
  }, respond)

const ambiguous = new InvalidRequest({ detail: "at most one of minVersion, atVersion and at can be asked for" })

const notOfThePast = new InvalidRequest({ detail: "effectiveAt goes neither with at nor with atVersion" })

const eventJson = (recorded: ToldEvent) => ({
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
    const audit = yield* AuditLog
    return handlers
      .handleRaw("create", createWallet(engine, audit))
      .handleRaw("update", updateWallet(engine, audit))
      .handleRaw("credit", credit(engine))
      .handleRaw("debit", debit(engine, audit))
      .handleRaw("freeze", freeze(engine, audit))
      .handleRaw("unfreeze", statusChange(engine.unfreeze, audit, "wallet.unfreeze"))
      .handleRaw("close", statusChange(engine.close, audit, "wallet.close"))
      .handleRaw(
        "get",
        Effect.fnUntraced(function* ({ params, query: { at, atVersion, effectiveAt, minVersion } }) {
          const walletId = params.id
          if ([at, atVersion, minVersion].filter((value) => value !== undefined).length > 1) return yield* ambiguous
          if (effectiveAt !== undefined && (at ?? atVersion) !== undefined) return yield* notOfThePast
          const read =
            at !== undefined
              ? engine.walletAt({ walletId, at })
              : atVersion !== undefined
                ? engine.walletAt({ walletId, atVersion })
                : engine.getWallet({ walletId, minVersion, effectiveAt })
          return walletReply(yield* read)
        }, respondQuery)
      )
      .handleRaw(
        "search",
        Effect.fnUntraced(function* ({ query }) {
          const asked = yield* narrowed(engine, yield* CurrentKey, { ...query, limit: query.limit ?? defaultLimit })
          const page = asked === undefined ? emptyPage : yield* engine.searchWallets(asked)
          return plainReply(200, pageJson(page, walletJson))
        }, respondQuery)
      )
      .handleRaw(
        "transactions",
        Effect.fnUntraced(function* ({ params, query }) {
          const limit = query.limit ?? defaultLimit
          const page = yield* engine.transactions({ ...query, walletId: params.id, limit })
          return plainReply(200, pageJson(page, transactionJson))
        }, respondQuery)
      )
      .handleRaw("statement", statementHandler(engine))
      .handleRaw(
        "events",
        Effect.fnUntraced(function* ({ params, query }) {
          const limit = query.limit ?? defaultLimit
          const events = yield* engine.events({ walletId: params.id, after: query.after ?? -1, limit })
          const last = events.length < limit ? undefined : events.at(-1)
          return plainReply(200, { data: events.map(eventJson), next: last?.version.toString() ?? null })
        }, respondQuery)
      )
  })
)
