/** Programs that a test runs in a process of its own, to kill it. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { endProcess } from "../../bench/servers/ServerProcess.ts"

export interface ChildProgram {
  /** Its output, line by line; ends with the process. */
  readonly lines: Queue.Dequeue<string, Cause.Done>
  readonly pid: number
  /** Waits until it is gone. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Runs a TypeScript file in a process of its own; killed when the scope closes. */
export const startProgram = Effect.fnUntraced(function* (file: URL, ...args: ReadonlyArray<string>) {
  const lines = yield* Queue.unbounded<string, Cause.Done>()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileURLToPath(file), ...args], {
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
