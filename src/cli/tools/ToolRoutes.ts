/** Everything that the service serves for its tools, beside the API. */
import * as Layer from "effect/Layer"
import { inspectRoute } from "./InspectRoute.ts"
import { replayRoute } from "./ReplayRoute.ts"
import { verifyRoute } from "./VerifyRoute.ts"

export const toolRoutes = Layer.mergeAll(verifyRoute, replayRoute, inspectRoute)
