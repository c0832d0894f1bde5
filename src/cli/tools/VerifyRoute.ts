/** `POST /v1/verify`: runs `verify` inside the service. */
import * as Effect from "effect/Effect"
import { verify } from "../../engine/verify/Verify.ts"
import { toolRoute } from "./ToolRoute.ts"
import { progressDocument, verifyDocument, VerifyRequest } from "./VerifyDocument.ts"

/** Wallets, and slices of them, compared at a time beside the service's own work: a fifth of its connections. */
const concurrency = 2
const bounds = { slices: 1 }

/** To be served beside the API. */
export const verifyRoute = toolRoute("/v1/verify", VerifyRequest, (options, onProgress) =>
  Effect.map(
    verify({ ...options, bounds, concurrency, onProgress: (progress) => onProgress(progressDocument(progress)) }),
    verifyDocument
  )
)
