/** `HttpLatency` as a process of its own: `node HttpLatencyWorker.ts OPTIONS`, both in JSON. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { OpenLoadResult } from "./Arrivals.ts"
import { HttpOpenLoad, runHttpOpen } from "./HttpLatency.ts"

const program = Effect.gen(function* () {
  const load = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(HttpOpenLoad))(process.argv[2] ?? "")
  const result = yield* runHttpOpen(load)
  yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(OpenLoadResult))(result))
})

NodeRuntime.runMain(program)
