/** `POST /v1/verify`: runs `verify` inside the service. */
import * as Effect from "effect/Effect"
import { verify } from "../engine/Verify.ts"
import { toolRoute } from "./ToolRoute.ts"
import { progressDocument, verifyDocument, VerifyRequest } from "./VerifyDocument.ts"

/** Wallets compared at a time beside the service's own work: a fifth of its connections. */
const concurrency = 2

/** To be served beside the API. */
export const verifyRoute = toolRoute("/v1/verify", VerifyRequest, (options, onProgress) =>
  Effect.map(
    verify({ ...options, concurrency, onProgress: (progress) => onProgress(progressDocument(progress)) }),
    verifyDocument
  )
)
