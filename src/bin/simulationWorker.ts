/** Worker thread of `npm run simulate`: runs the seeds that it is told, a few at a time. */
import { parentPort } from "node:worker_threads"
import { runSeeds } from "../testing/simulation/SeedRange.ts"

const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")

// Typed failures are errors, and a run makes thousands: where they were made takes a fifth of the time to find out.
Error.stackTraceLimit = 0

port.on("message", ({ from, seeds }: { readonly from: number; readonly seeds: number }) => {
  port.postMessage(runSeeds(from, seeds))
})
