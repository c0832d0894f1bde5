/** CPU time that processes have used, as Linux counts it; elsewhere nothing is known. */
import * as Fs from "node:fs"
import { childrenOf } from "./ServerProcess.ts"

/** Linux shows hundredths of a second, whatever its own clock does. */
const microsPerTick = 10_000

/** Of a process with its children that have ended, in steps of 10 ms. */
const microsWithEnded = (pid: number): number => {
  try {
    const stat = Fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name may hold blanks and parentheses; it ends with the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * microsPerTick
  } catch {
    // It has ended: its parent has counted it.
    return 0
  }
}

/** Of a process with one thread, which each of very many may have run for less than a step. */
const microsOfThread = (pid: number): number => {
  try {
    return Number(Fs.readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]) / 1_000
  } catch {
    return microsWithEnded(pid)
  }
}

/**
 * Microseconds of a process with all its children, those that have ended too. The children
 * have one thread each, as PostgreSQL's have. `undefined`: not told on this system.
 */
export const cpuMicrosOf = (pid: number): number | undefined =>
  Fs.existsSync("/proc/self/stat")
    ? childrenOf(pid).reduce((sum, child) => sum + microsOfThread(child), microsWithEnded(pid))
    : undefined
