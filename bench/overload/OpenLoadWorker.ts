/** `OpenLoad` as a process of its own: `node OpenLoadWorker.ts OPTIONS`, both in JSON. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { OpenLoadOptions, OpenLoadReport, runOpenLoad } from "./OpenLoad.ts"

const program = Effect.gen(function* () {
  const options = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(OpenLoadOptions))(process.argv[2] ?? "")
  const report = yield* runOpenLoad(options)
  yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(OpenLoadReport))(report))
})

NodeRuntime.runMain(program)
