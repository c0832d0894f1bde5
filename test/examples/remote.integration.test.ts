/** The example, and its own test, with the wallets in its process and in a service: one line of it differs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { compileCache, type Environment, startService, temporaryFolder } from "../cli/WalletProcess.ts"

const root = resolve(import.meta.dirname, "../..")
const apiKey = "a-key-of-this-test"

/** Fails with what it says where it fails. */
const run = (env: Environment, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const all = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...compileCache, ...env }
    const program = ["--conditions=effect-wallet-source", ...args]
    const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root, env: all })
    return stdout
  })

const ownTest = ["--test", "--test-reporter=tap", "examples/remote/payroll.test.ts"]

const here = Effect.map(temporaryFolder, (folder): Environment => ({ WALLET_DATA_DIR: join(folder, "wallets") }))

const service = Effect.gen(function* () {
  const dataDir = join(yield* temporaryFolder, "data")
  const { url } = yield* startService({ WALLET_DATA_DIR: dataDir, WALLET_API_KEY: apiKey })
  return { WALLET_URL: url, WALLET_API_KEY: apiKey }
})

describe.each([
  ["in its process", here],
  ["in a service", service]
] as const)("examples/remote with the wallets %s", (_, place) => {
  it.live("passes its test", () =>
    Effect.gen(function* () {
      assert.match(yield* run(yield* place, ...ownTest), /^# pass 1$/m)
    })
  )

  it.live("prints the same, and the same once more when it runs again", () =>
    Effect.gen(function* () {
      const environment = yield* place
      for (let round = 0; round < 2; round++) {
        const printed = yield* run(environment, "examples/remote/main.ts")
        assert.strictEqual(printed, "ann: completed\nben: 190000 left of 240000\n")
      }
    })
  )
})
