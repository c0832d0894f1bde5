/** Handlers of `KeysApi` and `AuditApi`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { InvalidRequest } from "../../domain/Rejection.ts"
import type { AuditEntry } from "../../stores/AuditStore.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { CreateKeyBody, RollKeyBody } from "../api/KeySchemas.ts"
import { NotFound } from "../api/Problem.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"
import { ApiKeys, type CreatedKey } from "../ApiKeys.ts"
import { AuditLog } from "../AuditLog.ts"
import { keyJson } from "../KeyDocument.ts"
import { pageJson, plainReply, respond, respondQuery, toResponse, replied } from "../HttpReply.ts"
import { bodyReader } from "../RequestBody.ts"

/** `:` and `,` of a body: a hundred wallets, twenty currencies and the rest. */
const maxSigns = 256

const createBody = bodyReader(CreateKeyBody, { maxSigns })
const rollBody = bodyReader(RollKeyBody, { mayBeEmpty: true })

const withSecret = ({ key, secret }: CreatedKey) => ({ ...keyJson(key), secret: Redacted.value(secret) })

const adminUnrestricted = new InvalidRequest({ detail: "restriction: a key with the scope admin cannot have one" })

/** What its form cannot say. */
const bounds = Effect.fnUntraced(function* ({ expiresAt, restriction, scopes }: typeof CreateKeyBody.Type) {
  if (restriction !== undefined && restriction !== null && scopes.includes("admin")) return yield* adminUnrestricted
  if (expiresAt !== undefined && expiresAt !== null && expiresAt <= (yield* Clock.currentTimeMillis)) {
    return yield* new InvalidRequest({ detail: "expiresAt: not in the future" })
  }
  return { expiresAt: expiresAt ?? undefined, restriction: restriction ?? undefined }
})

const absent = (id: string) => new NotFound({ detail: `there is no key ${id}` })

export const keyHandlers = HttpApiBuilder.group(
  WalletApi,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const keys = yield* ApiKeys
    const audit = yield* AuditLog
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ request }) {
          const body = yield* createBody(request)
          const created = yield* keys.create(body.name, body.scopes, yield* bounds(body))
          const { id, name } = created.key
          yield* audit.done({ key: yield* CurrentKey, action: "key.create", target: id, detail: name })
          return plainReply(201, withSecret(created))
        }, respond)
      )
      .handleRaw("list", ({ query }) =>
        respondQuery(
          Effect.map(keys.list({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, keyJson))
          )
        )
      )
      .handleRaw("self", () => respond(Effect.map(CurrentKey, (key) => plainReply(200, keyJson(key)))))
      .handleRaw(
        "roll",
        Effect.fnUntraced(function* ({ params, request }) {
          const { graceSeconds = 0 } = yield* rollBody(request)
          const rolled = yield* keys.roll(params.id, graceSeconds * 1_000)
          if (rolled === undefined) return yield* absent(params.id)
          const detail = `the secret before is good for ${graceSeconds} s`
          yield* audit.done({ key: yield* CurrentKey, action: "key.roll", target: params.id, detail })
          return plainReply(200, withSecret(rolled))
        }, respond)
      )
      .handleRaw("delete", ({ params }) => {
        const revoked = Effect.gen(function* () {
          if (!(yield* keys.revoke(params.id))) return yield* absent(params.id)
          yield* audit.done({ key: yield* CurrentKey, action: "key.revoke", target: params.id })
          return plainReply(204, null)
        })
        return Effect.map(replied(revoked), (reply) =>
          reply.status === 204 ? HttpServerResponse.empty() : toResponse(reply)
        )
      })
  })
)

const entryJson = ({ time, ...entry }: AuditEntry) => ({ time: formatTime(time), ...entry })

export const auditHandlers = HttpApiBuilder.group(
  WalletApi,
  "audit",
  Effect.fnUntraced(function* (handlers) {
    const audit = yield* AuditLog
    return handlers.handleRaw("list", ({ query }) =>
      respondQuery(
        Effect.map(audit.list({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
          plainReply(200, pageJson(page, entryJson))
        )
      )
    )
  })
)
