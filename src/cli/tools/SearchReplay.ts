/** `wallet replay --target readModel`: what it does, here or inside a running service. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { installedStores } from "../../engine/EngineStores.ts"
import { replayDeadLetters } from "../../engine/rebuild/DeadLetters.ts"
import { dropOldSearch, rebuildSearch } from "../../engine/rebuild/SearchRebuild.ts"
import { loggingLayer } from "../Logging.ts"
import type { ServiceConfig } from "../ServiceConfig.ts"
import type { ServicePlace } from "../ServicePlace.ts"
import { runRemotely } from "./RemoteTool.ts"
import {
  deadLettersDocument,
  dropDocument,
  rebuildDocument,
  SearchProgressDocument,
  searchProgressDocument,
  SearchReplayDocument,
  type SearchReplayRequest
} from "./SearchReplayDocument.ts"

type OnProgress = (document: SearchProgressDocument) => Effect.Effect<void>

const runTask = (
  { restart, takeOver, task }: SearchReplayRequest,
  onProgress: OnProgress,
  pageEvents: number | undefined
) => {
  switch (task) {
    case "rebuild":
      return Effect.map(
        rebuildSearch({
          restart,
          takeOver,
          pageEvents,
          onProgress: (progress) => onProgress(searchProgressDocument(progress))
        }),
        rebuildDocument
      )
    case "deadLetters":
      return Effect.map(replayDeadLetters, deadLettersDocument)
    case "dropOld":
      return Effect.map(dropOldSearch, dropDocument)
  }
}

/** On the stores in context. Without an index of its own there is nothing to do, which is no failure. */
export const searchReplay = (request: SearchReplayRequest, onProgress: OnProgress, pageEvents?: number) =>
  Effect.catchTag(runTask(request, onProgress, pageEvents), "SearchNotSeparate", ({ message }) =>
    Effect.succeed<SearchReplayDocument>({ target: "readModel", task: "none", note: message })
  )

export const searchReplayPath = "/v1/replay/search"

export const searchReplayAt = Effect.fnUntraced(function* (
  config: ServiceConfig,
  place: ServicePlace,
  request: SearchReplayRequest,
  onProgress: OnProgress
) {
  if (place._tag === "Here") {
    return yield* searchReplay(request, onProgress).pipe(
      Effect.provide(installedStores(config.engine.stores)),
      Effect.provide(loggingLayer(config))
    )
  }
  return yield* runRemotely(place.service, {
    tool: "replay",
    path: searchReplayPath,
    body: { ...request },
    progress: SearchProgressDocument,
    report: SearchReplayDocument,
    onProgress
  }).pipe(Effect.provide(FetchHttpClient.layer))
})
