import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { temporaryFolder } from "../cli/WalletProcess.ts"

const root = resolve(import.meta.dirname, "../..")

const runExample = (dataDir: string) =>
  Effect.promise(async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=effect-wallet-source", "examples/embed/main.ts", dataDir],
      { cwd: root }
    )
    return stdout
  })

const statements = `refused: 10000.00 EUR asked, 64.50 EUR available
alice: 64.50 EUR
  credit     100.00 EUR   100.00 EUR  top-up
  capture     35.50 EUR    64.50 EUR  
shop: 35.50 EUR
  credit      35.50 EUR    35.50 EUR  order 17
`

describe("examples/embed", () => {
  it.live("prints the statements, and the same ones when it runs again", () =>
    Effect.gen(function* () {
      const dataDir = join(yield* temporaryFolder, "wallets")
      assert.strictEqual(yield* runExample(dataDir), statements)
      assert.strictEqual(yield* runExample(dataDir), statements)
    })
  )
})
