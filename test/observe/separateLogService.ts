/**
 * `wallet serve` with a log of its own and PostgreSQL behind it, where no KurrentDB can be had: the same layers as the
 * service, and its log in memory.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { loggingLayer } from "../../src/cli/Logging.ts"
import { processMetrics } from "../../src/cli/ProcessMetrics.ts"
import { loadServiceConfig, type ServiceConfig } from "../../src/cli/ServiceConfig.ts"
import { toolRoutes } from "../../src/cli/tools/ToolRoutes.ts"
import { databaseLayer } from "../../src/engine/EngineStores.ts"
import { layerWithParts } from "../../src/engine/WalletEngine.ts"
import { ApiKeys } from "../../src/http/ApiKeys.ts"
import { HttpConfig } from "../../src/http/HttpConfig.ts"
import { httpServerWith } from "../../src/http/HttpServer.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"

const stores = (config: ServiceConfig) =>
  Layer.mergeAll(
    SqlStores.layerBehindLog(),
    MemoryEventStore.layer.pipe(Layer.provide(MemoryDatabase.layer({ separate: true }))),
    StoreOutages.layer({})
  ).pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(databaseLayer(config.engine.stores)))

const serviceLayer = (config: ServiceConfig) =>
  Layer.mergeAll(
    httpServerWith(toolRoutes),
    processMetrics,
    Layer.effectDiscard(Effect.flatMap(ApiKeys, (keys) => keys.setConfigured(Option.getOrThrow(config.apiKey))))
  ).pipe(
    Layer.provide(HttpConfig.layer({ ...config.http, port: 0 })),
    Layer.provideMerge(ApiKeys.layer),
    Layer.provide(Webhooks.layer(config.webhooks)),
    Layer.provideMerge(layerWithParts(config.engine)),
    Layer.provideMerge(stores(config)),
    Layer.provideMerge(loggingLayer(config))
  )

const serve = Effect.gen(function* () {
  const config = yield* loadServiceConfig
  yield* Effect.gen(function* () {
    const { address } = yield* EffectHttpServer.HttpServer
    process.stdout.write(`${JSON.stringify({ url: EffectHttpServer.formatAddress(address) })}\n`)
    return yield* Effect.never
  }).pipe(Effect.provide(serviceLayer(config)))
})

serve.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
