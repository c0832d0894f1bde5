/** Handlers of `InspectionApi`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { WalletApi } from "../api/Api.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { VerifyWalletBody } from "../api/InspectionSchemas.ts"
import { AuditLog } from "../AuditLog.ts"
import { plainReply, respond } from "../HttpReply.ts"
import { actorsJson, storesJson, verificationJson } from "../InspectionDocuments.ts"
import { bodyReader } from "../RequestBody.ts"

const verifyBody = bodyReader(VerifyWalletBody, { mayBeEmpty: true })

export const inspectionHandlers = HttpApiBuilder.group(
  WalletApi,
  "inspection",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    const audit = yield* AuditLog
    const head = Effect.orElseSucceed(engine.feedHead, () => undefined)
    const actors = Effect.map(Effect.all([engine.actors, head]), ([view, position]) =>
      plainReply(200, actorsJson(view, position))
    )
    return handlers
      .handleRaw("actors", () => respond(actors))
      .handleRaw("stores", ({ params }) =>
        respond(Effect.map(engine.inspectWallet(params.id), (report) => plainReply(200, storesJson(report))))
      )
      .handleRaw(
        "verify",
        Effect.fnUntraced(function* ({ params, request }) {
          const { repair } = yield* verifyBody(request)
          const report = yield* engine.verifyWallet(params.id, { repair })
          if (report.repaired > 0) {
            yield* audit.done({ key: yield* CurrentKey, action: "wallet.repair", target: params.id })
          }
          return plainReply(200, verificationJson(params.id, report))
        }, respond)
      )
  })
)
