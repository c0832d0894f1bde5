/** The programs of examples/ as a user runs them: processes of their own that import the package by its public names. */
import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { compileCache } from "../cli/WalletProcess.ts"

const root = resolve(import.meta.dirname, "../..")
const condition = "--conditions=effect-wallet-source"

/** What it says on standard output. Dies unless it ends with 0. */
export const runExample = (program: string, ...args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.promise(
    async () => (await promisify(execFile)(process.execPath, [condition, program, ...args], { cwd: root })).stdout
  )

/** Of a server, until the scope closes: the URL that it says when it listens. */
export const startExample = (program: string, environment: Readonly<Record<string, string>>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly url: string; readonly stop: Effect.Effect<void> }>((resume) => {
        const child = spawn(process.execPath, [condition, program], {
          cwd: root,
          env: { PATH: process.env.PATH ?? "", ...compileCache, PORT: "0", ...environment },
          stdio: ["ignore", "pipe", "inherit"]
        })
        const ended = new Promise<void>((done) => child.once("close", () => done()))
        child.once("close", (code) => resume(Effect.die(new Error(`${program} ended with ${code}`))))
        createInterface({ input: child.stdout }).on("line", (url) =>
          resume(
            Effect.succeed({
              url,
              stop: Effect.promise(() => {
                child.kill("SIGKILL")
                return ended
              })
            })
          )
        )
      }),
      ({ stop }) => stop
    ),
    ({ url }) => url
  )

export interface Reply {
  readonly status: number
  readonly text: string
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

/** Sends JSON, or a text as it is. */
export const send = (
  method: string,
  url: string,
  body?: object | string,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Reply> =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method,
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") ?? false
    return { status: response.status, text, json: isJson ? JSON.parse(text) : undefined }
  })
