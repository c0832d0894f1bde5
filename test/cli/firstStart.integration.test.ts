/** A service's first start on a new folder, seen from outside. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import { runWallet, temporaryFolder } from "./WalletProcess.ts"

const statusOf = (url: string, secret = "") =>
  Effect.tryPromise((signal) => fetch(url, { signal, headers: { authorization: `Bearer ${secret}` } })).pipe(
    Effect.map(({ status }) => status)
  )

describe("the first start on a new folder", () => {
  it.live("answers nobody before its key is there for its owner", () =>
    Effect.gen(function* () {
      const dataDir = join(yield* temporaryFolder, "data")
      const port = yield* freePort
      yield* Effect.forkScoped(runWallet(["serve", "--port", String(port)], { WALLET_DATA_DIR: dataDir }))
      const url = `http://127.0.0.1:${port}`
      const file = join(dataDir, "api-key")
      const first = statusOf(`${url}/health/ready`).pipe(
        // In the same turn: nothing can come between the answer and the look.
        Effect.map(() => (existsSync(file) ? readFileSync(file, "utf8").trim() : "no file")),
        Effect.retry(Schedule.spaced(5))
      )
      const secret = yield* first
      assert.match(secret, /^ew_[A-Za-z0-9_-]{43}$/)
      assert.strictEqual(yield* statusOf(`${url}/v1/wallets`, secret), 200)
    }).pipe(Effect.scoped)
  )

  it.live("ends where its key cannot be written, and makes one when it can be", () =>
    Effect.gen(function* () {
      const dataDir = join(yield* temporaryFolder, "data")
      const file = join(dataDir, "api-key")
      mkdirSync(file, { recursive: true, mode: 0o700 })
      const port = String(yield* freePort)
      const { code, stderr, stdout } = yield* runWallet(["serve", "--port", port], { WALLET_DATA_DIR: dataDir })
      assert.notStrictEqual(code, 0)
      assert.include(stderr, `the first admin key cannot be written to ${file}`)
      assert.notInclude(stdout, "listening")
      rmSync(file, { recursive: true })
      yield* Effect.forkScoped(runWallet(["serve", "--port", port], { WALLET_DATA_DIR: dataDir }))
      const status = yield* Effect.suspend(() =>
        statusOf(`http://127.0.0.1:${port}/v1/wallets`, readFileSync(file, "utf8").trim())
      ).pipe(Effect.sandbox, Effect.retry(Schedule.spaced(20)))
      assert.strictEqual(status, 200)
    }).pipe(Effect.scoped)
  )
})
