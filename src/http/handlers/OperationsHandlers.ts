/** Handlers of `KeysApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { pageJson, plainReply, problemReply, respond, toResponse } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"
import { ApiKeys } from "../ApiKeys.ts"
import { bodyReader } from "../RequestBody.ts"
import { CreateKeyBody } from "../api/Schemas.ts"
import { defaultLimit, formatTime } from "../api/SchemaValues.ts"

const createBody = bodyReader(CreateKeyBody)

const keyJson = (key: ApiKey) => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  createdAt: formatTime(key.createdAt)
})

export const keyHandlers = HttpApiBuilder.group(
  WalletApi,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const keys = yield* ApiKeys
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ request }) {
          const { name, scopes } = yield* createBody(request)
          const { key, secret } = yield* keys.create(name, scopes)
          return plainReply(201, { ...keyJson(key), secret: Redacted.value(secret) })
        }, respond)
      )
      .handleRaw("list", ({ query }) =>
        respond(
          Effect.map(keys.list({ ...query, limit: query.limit ?? defaultLimit }), (page) =>
            plainReply(200, pageJson(page, keyJson))
          )
        )
      )
      .handleRaw("delete", ({ params }) =>
        Effect.matchEffect(keys.remove(params.id), {
          onFailure: (error) => respond(Effect.fail(error)),
          onSuccess: (removed) =>
            Effect.succeed(
              removed
                ? HttpServerResponse.empty()
                : toResponse(problemReply("NotFound", `there is no key ${params.id}`))
            )
        })
      )
  })
)
