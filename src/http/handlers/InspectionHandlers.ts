/** Handlers of `InspectionApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { EngineInspection } from "../../engine/EngineInspection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { StoreUnavailable } from "../../stores/StoreError.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { VerifyWalletBody } from "../api/InspectionSchemas.ts"
import { AuditLog } from "../AuditLog.ts"
import { plainReply, respond } from "../HttpReply.ts"
import { actorsJson, storesJson, verificationJson } from "../InspectionDocuments.ts"
import { bodyReader } from "../RequestBody.ts"

const verifyBody = bodyReader(VerifyWalletBody, { mayBeEmpty: true })

/** An HTTP service over `layerRemote` has no node of its own. */
const elsewhere = new StoreUnavailable({
  store: "service",
  reason: "the engine runs in another service: ask that one",
  retryAfter: 60_000
})

export const inspectionHandlers = HttpApiBuilder.group(
  WalletApi,
  "inspection",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    const inspection: Effect.Effect<EngineInspection, StoreUnavailable> =
      engine.inspection === undefined ? Effect.fail(elsewhere) : Effect.succeed(engine.inspection)
    const audit = yield* AuditLog
    const head = Effect.orElseSucceed(engine.feedHead, () => undefined)
    const view = Effect.flatMap(inspection, ({ actors }) => actors)
    const actors = Effect.map(Effect.all([view, head]), ([view, position]) =>
      plainReply(200, actorsJson(view, position))
    )
    return handlers
      .handleRaw("actors", () => respond(actors))
      .handleRaw("stores", ({ params }) =>
        respond(
          inspection.pipe(
            Effect.flatMap(({ inspectWallet }) => inspectWallet(params.id)),
            Effect.map((report) => plainReply(200, storesJson(report)))
          )
        )
      )
      .handleRaw(
        "verify",
        Effect.fnUntraced(function* ({ params, request }) {
          const { repair } = yield* verifyBody(request)
          const { verifyWallet } = yield* inspection
          const report = yield* verifyWallet(params.id, { repair })
          if (report.repaired > 0) {
            yield* audit.done({ key: yield* CurrentKey, action: "wallet.repair", target: params.id })
          }
          return plainReply(200, verificationJson(params.id, report))
        }, respond)
      )
  })
)
