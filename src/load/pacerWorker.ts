/** Worker thread: waits for as long as it is told to, to some hundredths of a millisecond, and says when it is over. */
import { parentPort, workerData } from "node:worker_threads"
import type { PacerMemory } from "./Pacer.ts"

const memory = workerData as PacerMemory
const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")
const never = new Int32Array(new SharedArrayBuffer(4))

for (let seen = 0; ;) {
  Atomics.wait(memory, 0, seen)
  seen = Atomics.load(memory, 0)
  Atomics.wait(never, 0, 0, Atomics.load(memory, 1) / 1_000)
  port.postMessage(seen)
}
