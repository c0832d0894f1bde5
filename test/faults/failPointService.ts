/**
 * `wallet serve` that dies where `FAULT_POINT` says, at the `FAULT_COUNT`th time: the
 * same layers as the service, over stores that end the process between two steps, as
 * the kernel would.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { loggingLayer } from "../../src/cli/Logging.ts"
import { loadServiceConfig, type ServiceConfig } from "../../src/cli/ServiceConfig.ts"
import { toolRoutes } from "../../src/cli/tools/ToolRoutes.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { layerWithParts } from "../../src/engine/WalletEngine.ts"
import { ApiKeys } from "../../src/http/ApiKeys.ts"
import { HttpConfig } from "../../src/http/HttpConfig.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"
import { httpServerWith } from "../../src/http/HttpServer.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { failCountVariable, type FailPoint, failPointVariable } from "./FailPoints.ts"

const wanted = process.env[failPointVariable]
let left = Number(process.env[failCountVariable] ?? 1)

/** Ends the process on the spot when this is the moment; nothing is flushed, nobody is told. */
const at = (point: FailPoint, applies = true): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (point !== wanted || !applies) return Effect.void
    left -= 1
    if (left > 0) return Effect.void
    process.kill(process.pid, "SIGKILL")
    return Effect.never
  })

const has = (commits: ReadonlyArray<Commit>, type: string): boolean =>
  commits.some(({ events }) => events.some(({ event }) => event._tag === type))

const around = <A, E>(before: Effect.Effect<void>, step: Effect.Effect<A, E>, after: Effect.Effect<void>) =>
  Effect.andThen(
    before,
    Effect.tap(step, () => after)
  )

const mortalLog = (log: EventStore["Service"]): EventStore["Service"] => ({
  ...log,
  append: (commits) => {
    const isReversal = has(commits, "OperationReversed")
    const isCommand = commits.some(({ events }) => events.some(({ metadata }) => metadata.key.startsWith("c:")))
    return around(
      Effect.all(
        [
          at("append.before", isCommand),
          at("reversal.before", isReversal),
          at("sent.before", has(commits, "TransferSent"))
        ],
        { discard: true }
      ),
      log.append(commits),
      Effect.all(
        [
          at("append.after", isCommand),
          at("reversal.after", isReversal),
          at("sent.after", has(commits, "TransferSent")),
          at("received.after", has(commits, "TransferReceived")),
          at("settled.after", has(commits, "TransferSettled")),
          at("notWanted.after", has(commits, "TransferRefused")),
          at("returned.after", has(commits, "TransferReversed"))
        ],
        { discard: true }
      )
    )
  },
  saveSnapshot: (snapshot) => around(at("snapshot.before"), log.saveSnapshot(snapshot), at("snapshot.after")),
  claim: (request) => around(Effect.void, log.claim(request), at("claim.after"))
})

const mortalPersistence = (persistence: Persistence["Service"]): Persistence["Service"] => ({
  ...persistence,
  write: (commits, checkpoint) => {
    const isReversal = has(commits, "OperationReversed")
    return around(
      Effect.andThen(at("write.before"), at("reversalWrite.before", isReversal)),
      persistence.write(commits, checkpoint),
      Effect.andThen(at("write.after"), at("reversalWrite.after", isReversal))
    )
  },
  refuse: (commit, refusal) => around(at("refuse.before"), persistence.refuse(commit, refusal), at("refuse.after"))
})

const mortalStores = (config: ServiceConfig) =>
  Layer.merge(
    Layer.effect(EventStore, Effect.map(EventStore, mortalLog)),
    Layer.effect(Persistence, Effect.map(Persistence, mortalPersistence))
  ).pipe(Layer.provideMerge(storesLayer(config.engine.stores)))

/** Who is to die between two steps of a transfer takes them one by one. */
const takesSteps = wanted !== undefined && /^(?:sent|received|settled|notWanted|returned)\./.test(wanted)

const engineOf = ({ engine }: ServiceConfig): ServiceConfig["engine"] =>
  takesSteps ? { ...engine, bounds: { ...engine.bounds, jointWallets: 0 } } : engine

const serviceLayer = (config: ServiceConfig) =>
  Layer.mergeAll(
    httpServerWith(toolRoutes),
    Layer.effectDiscard(Effect.flatMap(ApiKeys, (keys) => keys.setConfigured(Option.getOrThrow(config.apiKey))))
  ).pipe(
    Layer.provide(HttpConfig.layer({ ...config.http, port: 0 })),
    Layer.provideMerge(ApiKeys.layer),
    Layer.provide(Webhooks.layer(config.webhooks)),
    Layer.provideMerge(layerWithParts(engineOf(config))),
    Layer.provideMerge(mortalStores(config)),
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
