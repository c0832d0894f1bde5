/** Handlers of `ClusterApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { plainReply, respond } from "../HttpReply.ts"
import { WalletApi } from "../api/Api.ts"

export const clusterHandlers = HttpApiBuilder.group(
  WalletApi,
  "cluster",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    return handlers.handleRaw("view", () => respond(Effect.map(engine.cluster, (view) => plainReply(200, view))))
  })
)
