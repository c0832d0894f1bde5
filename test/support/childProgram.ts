/** Programs under test/support that a test runs in a process of its own, to kill it. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { endProcess } from "../../src/load/servers/ServerProcess.ts"

export interface ChildProgram {
  /** Its output, line by line; ends with the process. */
  readonly lines: Queue.Dequeue<string, Cause.Done>
  readonly pid: number
  /** Waits until it is gone. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Runs `test/support/<file>`; killed when the scope closes. */
export const startProgram = Effect.fnUntraced(function* (file: string, ...args: ReadonlyArray<string>) {
  const lines = yield* Queue.unbounded<string, Cause.Done>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [new URL(file, import.meta.url).pathname, ...args], {
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    (child) => endProcess(child, "SIGKILL")
  )
  createInterface({ input: child.stdout }).on("line", (line) => Queue.offerUnsafe(lines, line))
  child.once("exit", () => Queue.endUnsafe(lines))
  const program: ChildProgram = { lines, pid: child.pid ?? 0, signal: (signal) => endProcess(child, signal) }
  return program
})
