/** Processes beside the bench's own: what they print, or their life as long as a scope. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"

/** A module of this checkout, `path` from its root without the ending. */
const moduleFile = (path: string): string =>
  fileURLToPath(new URL(`../${path}${extname(import.meta.filename)}`, import.meta.url))

/** Runs a program to its end and answers what it printed; its complaints go to ours. A failure is a defect. */
export const runProgram = Effect.fnUntraced(
  function* (program: string, args: ReadonlyArray<string>) {
    const spawner = yield* ChildProcessSpawner
    const handle = yield* spawner.spawn(ChildProcess.make(program, args, { stderr: "inherit" }))
    const output = yield* Stream.mkString(Stream.decodeText(handle.stdout))
    const exitCode = yield* handle.exitCode
    if (exitCode !== 0) return yield* Effect.die(new Error(`${program} ${args.join(" ")} ended with ${exitCode}`))
    return output
  },
  Effect.scoped,
  Effect.orDie
)

/** Runs a module of ours on this Node, in a process of its own. */
export const runModule = (path: string, args: ReadonlyArray<string>, nodeOptions: ReadonlyArray<string> = []) =>
  runProgram(process.execPath, [...nodeOptions, moduleFile(path), ...args])

export interface Started {
  /** The first line that it printed. */
  readonly line: string
  readonly pid: number
}

/**
 * Starts a program file on this Node and waits for the first line that it prints; ended
 * by SIGTERM, and after ten seconds by force, with the scope. `env` is all that it gets.
 */
export const startNode = Effect.fnUntraced(function* (
  file: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
) {
  const spawner = yield* ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make(process.execPath, [file, ...args], {
      env,
      extendEnv: false,
      stdin: "ignore",
      stderr: "inherit",
      forceKillAfter: "10 seconds"
    })
  )
  const line = yield* handle.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
  if (Option.isNone(line)) return yield* Effect.die(new Error(`${file} ended before it said anything`))
  return { line: line.value, pid: handle.pid } satisfies Started
}, Effect.orDie)

/** A module of ours, as {@link startNode} does it. */
export const startModule = (path: string, args: ReadonlyArray<string>) => startNode(moduleFile(path), args, {})
