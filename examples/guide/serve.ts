import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { engineConfig, storesLayer, WalletEngine, Webhooks } from "effect-wallet"
import { ApiKeys, HttpConfig, httpServer } from "effect-wallet/http"

/** The engine of this app, and the HTTP API beside whatever else the app does. */
const service = Layer.unwrap(
  Effect.map(engineConfig, (config) =>
    httpServer.pipe(
      Layer.provide(HttpConfig.layer({ port: 8080 })),
      Layer.provide([ApiKeys.layer, Webhooks.layer()]),
      Layer.provideMerge(WalletEngine.layer(config)),
      Layer.provide(storesLayer(config.stores))
    )
  )
)

export const main = () => NodeRuntime.runMain(Layer.launch(service))
