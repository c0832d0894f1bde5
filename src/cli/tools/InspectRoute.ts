/**
 * `GET /v1/wallets/{id}/inspect`: one wallet across all stores, and its actor on this
 * node. For admin keys; an extension beside the contract, its fields may grow.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type { WalletRegistry } from "../../actors/WalletRegistry.ts"
import type { Ownership } from "../../actors/Ownership.ts"
import type { WritePipeline } from "../../actors/WritePipeline.ts"
import { isId } from "../../domain/Limits.ts"
import { inspect } from "../../engine/Inspect.ts"
import { plainReply, problemReply, respond, toResponse } from "../../http/HttpReply.ts"
import { Gate } from "../../http/Authentication.ts"
import type { EventStore } from "../../stores/EventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import type { ReadModel } from "../../stores/ReadModel.ts"
import { inspectDocument } from "./InspectDocument.ts"
import { refuseAllButAdmins } from "./ToolRoute.ts"

const badId = toResponse(problemReply("InvalidRequest", "an id is 1 to 64 of A-Z a-z 0-9 _ -"))

type Services = EventStore | Persistence | ReadModel | WalletRegistry | Ownership | WritePipeline

/** To be served beside the API. */
export const inspectRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const gate = yield* Gate
    const services = yield* Effect.context<Services>()
    const handle = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const refused = yield* refuseAllButAdmins(gate, request)
      if (refused !== undefined) return refused
      const { walletId = "" } = yield* HttpRouter.params
      if (!isId(walletId)) return badId
      const report = Effect.provideContext(inspect(walletId), services)
      return yield* respond(Effect.map(report, (found) => plainReply(200, inspectDocument(found))))
    })
    yield* router.add("GET", "/v1/wallets/:walletId/inspect", handle)
  })
).pipe(Layer.provide(Gate.layer))
