import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { environmentOf, thisCheckout, unusable } from "../../../bench/against/Checkout.ts"
import { temporaryFolder } from "../../../bench/servers/ServerProcess.ts"

describe("Checkout", () => {
  it.effect("says why a folder cannot be driven", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder()
      const manifest = (name: string) =>
        Fs.writeFileSync(Path.join(folder, "package.json"), JSON.stringify({ name, type: "module" }))
      assert.match(unusable(folder) ?? "", /has no package\.json$/)
      manifest("another")
      assert.match(unusable(folder) ?? "", /is a checkout of another$/)
      manifest("effect-wallet")
      assert.match(unusable(folder) ?? "", /run npm ci in it$/)
      Fs.mkdirSync(Path.join(folder, "node_modules/effect"), { recursive: true })
      assert.isUndefined(unusable(folder))
      assert.isUndefined(unusable(thisCheckout.folder))
    })
  )

  it("gives a side its place, and nothing that configures this project by chance", () => {
    const server = environmentOf(
      { _tag: "Server", url: Redacted.make("postgres://here") },
      { WALLET_LOG_LEVEL: "Warn" }
    )
    assert.deepStrictEqual(server, { DATABASE_URL: "postgres://here", WALLET_LOG_LEVEL: "Warn" })
    assert.deepStrictEqual(environmentOf({ _tag: "Folder", folder: "/data" }), { WALLET_DATA_DIR: "/data" })
  })
})
