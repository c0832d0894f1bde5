/** A checkout of the project under comparison: its library in a process of its own, its service, its revision. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { endProcess } from "../servers/ServerProcess.ts"
import type { Answers, Reply, Request } from "./AgainstProtocol.ts"

export interface Checkout {
  /** As the report calls it. */
  readonly name: string
  readonly folder: string
}

/** Where this very module is from. */
export const thisCheckout: Checkout = {
  name: "this checkout",
  folder: fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
}

/** Why the folder cannot be driven; `undefined`: it can. */
export const unusable = (folder: string): string | undefined => {
  const manifest = Path.join(folder, "package.json")
  if (!Fs.existsSync(manifest)) return `${folder} has no package.json`
  const { name } = JSON.parse(Fs.readFileSync(manifest, "utf8")) as { readonly name?: string }
  if (name !== "effect-wallet") return `${folder} is a checkout of ${name ?? "something else"}`
  return Fs.existsSync(Path.join(folder, "node_modules", "effect"))
    ? undefined
    : `${folder} has no dependencies: run npm ci in it`
}

/** `4f6a2b1`, with a `+` when files differ from it; `unknown` outside of git. */
export const revisionOf = ({ folder }: Checkout): string => {
  const git = (...args: ReadonlyArray<string>) => spawnSync("git", ["-C", folder, ...args], { encoding: "utf8" })
  const { status, stdout } = git("rev-parse", "--short", "HEAD")
  if (status !== 0) return "unknown"
  return `${stdout.trim()}${git("status", "--porcelain").stdout.trim() === "" ? "" : "+"}`
}

/** Where a side keeps its wallets. */
export type Place =
  | { readonly _tag: "Server"; readonly url: Redacted.Redacted }
  | { readonly _tag: "Folder"; readonly folder: string }

/** All that a side's process knows of its surroundings: where its wallets are. Nothing of this one's environment configures it. */
export const environmentOf = (place: Place, more: Readonly<Record<string, string>> = {}): Record<string, string> =>
  place._tag === "Server"
    ? { DATABASE_URL: Redacted.value(place.url), ...more }
    : { WALLET_DATA_DIR: place.folder, ...more }

/** The driver over a checkout's library. */
export interface Library {
  readonly ask: <R extends Request>(request: R) => Effect.Effect<Answers[R["_tag"]]>
}

const workerFile = fileURLToPath(new URL("AgainstWorker.ts", import.meta.url))

const nextReply = (child: ChildProcess): Effect.Effect<Reply> =>
  Effect.callback((resume) => {
    const settle = (reply: Reply) => {
      child.off("message", settle)
      child.off("exit", gone)
      resume(Effect.succeed(reply))
    }
    const gone = (code: number | null) => settle({ _tag: "Failed", reason: `the driver ended with ${code}` })
    child.on("message", settle)
    child.on("exit", gone)
    return Effect.sync(() => {
      child.off("message", settle)
      child.off("exit", gone)
    })
  })

/** Until the scope closes: then it is asked to end, and has closed its stores when the scope has. */
export const startLibrary = Effect.fnUntraced(function* ({ folder, name }: Checkout, place: Place) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=effect-wallet-source", workerFile, folder], {
        env: environmentOf(place),
        // Nothing that a library prints comes between our own output.
        stdio: ["ignore", process.stderr, process.stderr, "ipc"]
      })
    ),
    (child) =>
      Effect.raceFirst(
        endProcess(child, "SIGTERM"),
        Effect.andThen(Effect.sleep("15 seconds"), endProcess(child, "SIGKILL"))
      )
  )
  const ready = yield* nextReply(child)
  if (ready._tag === "Failed") return yield* Effect.die(new Error(`${name}: ${ready.reason}`))
  const ask = <R extends Request>(request: R) =>
    Effect.gen(function* () {
      const waiting = nextReply(child)
      yield* Effect.sync(() => child.send(request))
      const reply = yield* waiting
      if (reply._tag === "Answer") return reply.value as Answers[R["_tag"]]
      const reason = reply._tag === "Failed" ? reply.reason : "it said that it is ready twice"
      return yield* Effect.die(new Error(`${name}, ${request._tag}: ${reason}`))
    })
  return { ask } satisfies Library
})
