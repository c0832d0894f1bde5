/** CPU time that processes have used, as Linux counts it; elsewhere nothing is known. */
import * as Fs from "node:fs"
import { childrenOf } from "./ServerProcess.ts"

/** Linux counts in hundredths of a second, whatever its own clock does. */
const microsPerTick = 10_000

/** Ticks of a process, in user and kernel mode, with its children that have ended. */
const ticksOf = (pid: number): number => {
  try {
    const stat = Fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name may hold blanks and parentheses; it ends with the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  } catch {
    // It has ended: its parent has counted it.
    return 0
  }
}

/**
 * Microseconds of a process with all its children, those that have ended too; in steps
 * of 10 ms each. `undefined`: not told on this system.
 */
export const cpuMicrosOf = (pid: number): number | undefined =>
  Fs.existsSync("/proc/self/stat")
    ? [pid, ...childrenOf(pid)].reduce((sum, each) => sum + ticksOf(each), 0) * microsPerTick
    : undefined
