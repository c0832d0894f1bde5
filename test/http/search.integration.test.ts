/** Search over HTTP on the embedded store: the same questions as in memory. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { temporaryFolder } from "../cli/WalletProcess.ts"
import { searchCases } from "./searchCases.ts"

/** The store starts, beside other tests. */
const timeout = 240_000

searchCases(
  "search over HTTP, on the embedded store",
  Layer.unwrap(Effect.map(temporaryFolder, (dataDir) => WalletEngine.layerEmbedded({ dataDir }))).pipe(Layer.orDie),
  timeout
)
