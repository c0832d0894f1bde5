/** The example's own test, on the engine in this process and on a service: one line of it differs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { embedded, remote } from "../../examples/remote/engine.ts"
import { paysOnce } from "../../examples/remote/paysOnce.ts"
import { startService, temporaryFolder } from "../cli/WalletProcess.ts"

const root = resolve(import.meta.dirname, "../..")
const apiKey = "a-key-of-this-test"

const service = Effect.flatMap(temporaryFolder, (folder) =>
  startService({ WALLET_DATA_DIR: join(folder, "data"), WALLET_API_KEY: apiKey })
)

describe("examples/remote", () => {
  it.live("its test passes with the wallets in this process", () =>
    Effect.flatMap(temporaryFolder, (folder) => paysOnce(embedded(join(folder, "wallets"))))
  )

  it.live("its test passes with the wallets in a service", () =>
    Effect.flatMap(service, ({ url }) => paysOnce(remote(url, apiKey)))
  )

  it.live("prints the same with the wallets in a service, twice", () =>
    Effect.gen(function* () {
      const { url } = yield* service
      for (let round = 0; round < 2; round++) {
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)(
            process.execPath,
            ["--conditions=effect-wallet-source", "examples/remote/main.ts", url, apiKey],
            { cwd: root }
          )
        )
        assert.strictEqual(stdout, "ann: completed\nben: 190000 left of 240000\n")
      }
    })
  )
})
