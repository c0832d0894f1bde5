/** Worker thread of `npm run simulate`: runs the seeds that it is told, a few at a time. */
import { parentPort } from "node:worker_threads"
import { runSeeds } from "../simulation/SeedRange.ts"

const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")

port.on("message", ({ from, seeds }: { readonly from: number; readonly seeds: number }) => {
  port.postMessage(runSeeds(from, seeds))
})
