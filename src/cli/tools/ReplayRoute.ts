/** `POST /v1/replay`: runs `replay` inside the service, beside its own work. */
import * as Effect from "effect/Effect"
import { replay, replayWallet } from "../../engine/rebuild/Rebuild.ts"
import { replayDocument, replayProgressDocument, ReplayRequest } from "./ReplayDocument.ts"
import { toolRoute } from "./ToolRoute.ts"

/** Events per page: small, for the service's own writes wait behind one where there is one connection. */
const pageEvents = 1_000

/** To be served beside the API. */
export const replayRoute = toolRoute("/v1/replay", ReplayRequest, ({ from, mode, restart, walletId }, onProgress) =>
  Effect.map(
    walletId === undefined
      ? replay({
          mode,
          restart,
          from: from === undefined ? undefined : BigInt(from),
          pageEvents,
          onProgress: (progress) => onProgress(replayProgressDocument(progress))
        })
      : replayWallet(walletId),
    replayDocument
  )
)
