/**
 * `HttpLoad` as a process of its own: `node HttpLoadWorker.ts '<options as JSON>'`
 * prints the report as one line of JSON.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HttpLoadOptions, HttpLoadReport, runHttpLoad } from "./HttpLoad.ts"

const program = Effect.gen(function* () {
  const options = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(HttpLoadOptions))(process.argv[2] ?? "")
  const report = yield* runHttpLoad(options)
  const line = yield* Schema.encodeEffect(Schema.fromJsonString(HttpLoadReport))(report)
  yield* Console.log(line)
})

NodeRuntime.runMain(program)
