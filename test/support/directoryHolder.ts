/** A process that takes the data directory in its first argument, says `held` or the error's tag, and keeps it. */
import * as Effect from "effect/Effect"
import { DataDirectory } from "../../src/stores/pglite/DataDirectory.ts"

const program = Effect.gen(function* () {
  const directory = yield* DataDirectory.make(process.argv[2] ?? "")
  yield* directory.announce("http://127.0.0.1:4711")
  process.stdout.write("held\n")
  // A timer keeps the process; a fiber that waits for nothing would not.
  yield* Effect.sleep("1 hour")
}).pipe(
  Effect.scoped,
  Effect.catch((error) => Effect.sync(() => process.stdout.write(`${error._tag}\n`)))
)

await Effect.runPromise(program)
