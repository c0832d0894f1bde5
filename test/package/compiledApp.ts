/** An app that exports everything which the package exports, and layers and programs of its own made of it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./packedApp.ts"

const app = `
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type InsufficientFunds, engineConfig, storesLayer, WalletEngine, Webhooks } from "effect-wallet"
import { ApiKeys, HttpConfig, httpServer, httpServerWith } from "effect-wallet/http"
import { ClusterEngine } from "effect-wallet/cluster"
import { remoteEngine, WalletClient } from "effect-wallet/client"
import { openApiDocument } from "effect-wallet/api"
import { given } from "effect-wallet/testing"

export const memory = WalletEngine.layerMemory
export const memoryWith = WalletEngine.layerMemoryWith({})
export const embedded = WalletEngine.layerEmbedded({ dataDir: "x" })
export const postgres = WalletEngine.layerPostgres({ url: Redacted.make("postgres://localhost/x") })
export const remote = WalletEngine.layerRemote({ url: "http://127.0.0.1:3000", apiKey: "key" })
/** One line decides where the wallets are. */
export const anywhere = (url: string | undefined) =>
  url === undefined ? embedded : WalletEngine.layerRemote({ url, apiKey: Redacted.make("key"), timeout: "5 seconds" })
export const config = WalletEngine.layerConfig()
export const fromConfig = Effect.map(engineConfig, (config) => WalletEngine.layerFrom(config))
export const stores = Effect.map(engineConfig, (config) => storesLayer(config.stores))
export const engine = Effect.map(engineConfig, (config) => WalletEngine.layer(config))
export const cluster = ClusterEngine.layerConfig()
export const served = httpServer.pipe(
  Layer.provide(HttpConfig.layer({ port: 0 })),
  Layer.provideMerge(Layer.merge(ApiKeys.layer, Webhooks.layer())),
  Layer.provideMerge(embedded)
)
export const servedWith = httpServerWith(Layer.empty)
/** All that it needs comes with the layer. */
export const complete: Layer.Layer<ApiKeys | Webhooks, unknown> = Layer.merge(ApiKeys.layer, Webhooks.layer()).pipe(
  Layer.provide(embedded)
)
export const program = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  return yield* wallets.credit({ walletId: "a", amount: 1n, idempotencyKey: "k" })
})
export const only: Effect.Effect<bigint, InsufficientFunds, WalletEngine> = Effect.gen(function* () {
  const wallets = yield* WalletEngine
  const { transaction } = yield* wallets.debit({ walletId: "a", amount: 1n, idempotencyKey: "k" })
  return transaction.balanceAfter
}).pipe(Effect.catch((error) => error._tag === "InsufficientFunds" ? Effect.fail(error) : Effect.die(error)))
// @ts-expect-error an amount is a bigint
export const wrong = WalletEngine.use((wallets) => wallets.debit({ walletId: "a", amount: 1, idempotencyKey: "k" }))
export const asked = Effect.gen(function* () {
  const { wallets } = yield* WalletClient
  return yield* wallets.get({ params: { id: "a" }, query: {} })
})
export const inBrowser = remoteEngine({ url: "", apiKey: "" })
export const client = WalletClient.layerFetch({ baseUrl: "", apiKey: Redacted.make("") })
export { given, openApiDocument }
`

/** In CommonJS by `require`: the types are those of the modules. */
const common = `
import wallet = require("effect-wallet")
import Effect = require("effect/Effect")
export const layer = wallet.WalletEngine.layerMemory
export const balance: Effect.Effect<bigint, wallet.CommandError | wallet.RateLimited | wallet.VersionNotReached, wallet.WalletEngine> =
  wallet.WalletEngine.use((wallets) => Effect.map(wallets.getWallet({ walletId: "a" }), (found) => found.balance))
`

const compilerOptions = {
  strict: true,
  declaration: true,
  isolatedModules: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  target: "es2024",
  lib: ["es2024", "dom", "dom.iterable", "esnext.disposable"],
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")]
}

/** The paths of the package's doors, as `effect-wallet/client`. */
export const doors: ReadonlyArray<string> = Object.keys(
  (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly exports: object }).exports
)
  .filter((path) => path !== "./package.json")
  .map((path) => path.replace(/^\./, "effect-wallet"))

/** A module for each door with a declaration of each of its values, and of each layer that a class has. */
const everything = (folder: string) => `
import { writeFileSync } from "node:fs"
for (const door of ${JSON.stringify(doors)}) {
  const name = "Door" + door.replace(/\\W/g, "_")
  const lines = ["import * as " + name + " from " + JSON.stringify(door)]
  for (const [key, value] of Object.entries(await import(door))) {
    lines.push("export const " + key + "_ = " + name + "." + key)
    if (typeof value !== "function" || !/^class/.test(Function.prototype.toString.call(value))) continue
    for (const part of Object.getOwnPropertyNames(value)) {
      if (/^(?:layer|verify)/.test(part)) lines.push("export const " + key + "_" + part + " = " + name + "." + key + "." + part)
    }
  }
  writeFileSync(${JSON.stringify(folder)} + "/" + name + ".ts", lines.join("\\n"))
}
`

/** Writes the sources into `src` of the folder, and a `tsconfig` for each way to look modules up. */
export const writeCompiledApp = (folder: string): void => {
  writeFileSync(join(folder, "src/App.ts"), app)
  writeFileSync(join(folder, "src/common.cts"), common)
  writeFileSync(join(folder, "everything.js"), everything(join(folder, "src")))
  for (const [name, module, include] of [
    ["nodenext", "nodenext", ["src"]],
    ["bundler", "esnext", ["src/*.ts"]]
  ] as const) {
    const options = { ...compilerOptions, module, moduleResolution: name, outDir: `out-${name}`, rootDir: "src" }
    writeFileSync(join(folder, `tsconfig.${name}.json`), JSON.stringify({ compilerOptions: options, include }))
  }
}
