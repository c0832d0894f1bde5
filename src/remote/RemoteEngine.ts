/**
 * The engine's service, asked over HTTP: the same methods, the same answers and the same errors with the same fields as
 * where the engine is in this process. It needs an `HttpClient`, and neither Node nor anything of the engine itself.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { EngineService } from "../engine/EngineApi.ts"
import { makeCommands } from "./RemoteCommands.ts"
import { makeFeed } from "./RemoteFeed.ts"
import { type RemoteMisconfigured, type RemoteOptions, settingsOf } from "./RemoteOptions.ts"
import { makeQueries, transferQueries } from "./RemoteQueries.ts"
import { makeSearch } from "./RemoteSearch.ts"
import { makeService } from "./RemoteService.ts"
import { makeTransfers } from "./RemoteTransfers.ts"

/** No redirect is followed: it would take the key elsewhere, and make a command a read. */
const fetchClient: Layer.Layer<HttpClient.HttpClient> = Layer.provide(
  FetchHttpClient.layer,
  Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })
)

const make = Effect.fnUntraced(function* (
  options: RemoteOptions
): Effect.fn.Return<EngineService, RemoteMisconfigured, HttpClient.HttpClient> {
  const service = yield* makeService(yield* settingsOf(options))
  return {
    ...makeCommands(service),
    ...makeTransfers(service),
    ...transferQueries(service),
    ...makeQueries(service),
    ...makeSearch(service),
    ...makeFeed(service),
    inspection: undefined
  }
})

/** Nothing is asked of the service yet: that it is away, or does not take the key, is told by the calls. */
export const remoteEngine = (options: RemoteOptions): Effect.Effect<EngineService, RemoteMisconfigured, Scope.Scope> =>
  Effect.flatMap(Layer.build(options.httpClient ?? fetchClient), (client) =>
    Effect.provideContext(make(options), client)
  )
