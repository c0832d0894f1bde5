/**
 * A node that writes the search index, and nothing else: `node LagWorker.ts OPTIONS` in JSON, until it is ended. Says a
 * line when it writes. `awaited`: somebody always waits for a search.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Ownership } from "../../src/actors/Ownership.ts"
import { SearchProgress } from "../../src/search/SearchProgress.ts"
import * as SearchWriter from "../../src/search/SearchWriter.ts"
import { connection, searchIndex, SearchPlace, sqlStores } from "./SearchStores.ts"

const Options = Schema.fromJsonString(Schema.Struct({ ...SearchPlace.fields, awaited: Schema.Boolean }))

/** It appends nothing, so it needs no claim of the log's. */
const ownership: Ownership["Service"] = {
  partitions: 1,
  epochOf: () => 1,
  fenced: () => undefined,
  lost: Effect.never
}

const write = Effect.fnUntraced(function* (awaited: boolean) {
  const { index } = yield* SearchProgress
  if (index === undefined) return yield* Effect.die(new Error("there is no index"))
  yield* Effect.repeat(
    Effect.sync(() => index.load().isWriter),
    { until: (isWriter) => isWriter, schedule: Schedule.spaced("20 millis") }
  )
  yield* index.shows([])
  yield* Console.log("it writes")
  return yield* awaited ? Effect.forever(index.shows([])) : Effect.never
})

const program = Effect.gen(function* () {
  const options = yield* Schema.decodeUnknownEffect(Options)(process.argv[2])
  const stores = Layer.mergeAll(
    sqlStores(options),
    Layer.succeed(Ownership, ownership),
    searchIndex(options).pipe(Layer.provide(connection(options)))
  )
  yield* write(options.awaited).pipe(Effect.provide(SearchWriter.layer().pipe(Layer.provide(stores))))
})

// Standard output is the report's.
const quiet = Layer.mergeAll(Layer.succeed(References.MinimumLogLevel, "Warn"), Layer.succeed(Logger.LogToStderr, true))

NodeRuntime.runMain(Effect.provide(program, quiet))
