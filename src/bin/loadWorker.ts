/** Worker thread of `wallet load --threads`: sends its turns of a load. */
import * as Effect from "effect/Effect"
import { parentPort, workerData } from "node:worker_threads"
import { runThread } from "../load/LoadThread.ts"
import type { ThreadStart } from "../load/LoadThreads.ts"

const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")

const begun = Effect.callback<void>((resume) => {
  port.once("message", () => resume(Effect.void))
})

await Effect.runPromise(runThread(workerData as ThreadStart, begun, (message) => port.postMessage(message)))
// The port alone would keep the thread.
port.close()
