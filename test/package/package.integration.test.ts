/**
 * The package as users get it: packed, installed in an empty folder, used from plain
 * JavaScript and from TypeScript, and run.
 */
import { build, type Metafile } from "esbuild"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { createInterface } from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { doors, writeCompiledApp } from "./compiledApp.ts"
import { environment, packApp, type PackedApp, root } from "./packedApp.ts"

/** Code, declarations and the page of the API, packed as npm does it; more is to be noticed. */
const maxBytes = { withConsole: 1_000_000, withoutConsole: 700_000 }
/** What a browser takes for the client, packed, beside effect. */
const maxClientBytes = 30_000

let given: PackedApp | undefined

const theApp = (): PackedApp => {
  if (given === undefined) throw new Error("nothing was packed")
  return given
}

beforeAll(async () => {
  given = await packApp()
}, 900_000)

afterAll(() => {
  if (given !== undefined) rmSync(given.folder, { recursive: true, force: true })
})

/** What a file of a bundle imports before its first statement, and what that imports, and so on. */
const loadedAtStart = ({ outputs }: Metafile, file: string, seen = new Set<string>()): ReadonlyArray<string> => {
  if (seen.has(file)) return []
  seen.add(file)
  const eager = (outputs[file]?.imports ?? []).filter(({ kind }) => kind === "import-statement")
  return eager.flatMap(({ external, path }) =>
    external === true ? [path] : loadedAtStart({ inputs: {}, outputs }, path, seen)
  )
}

describe("the published package", () => {
  it("has what its program imports for what it does", () => {
    theApp()
    const program = readFileSync(join(root, "dist/bin/main.js"), "utf8")
    assert.include(program, "--no-allocation-site-pretenuring")
    assert.include(program, "beforeExit")
  })

  it("holds the program, the migrations and the documents, and nothing else", () => {
    const { packed, tarballBytes } = theApp()
    for (const path of ["dist/index.js", "dist/index.d.ts", "dist/bin/wallet.js", "README.md", "LICENSE"]) {
      assert.include(packed, path)
    }
    assert.deepStrictEqual(
      packed.filter((path) => /bench|simul/i.test(path)),
      []
    )
    const consoleBytes = packed
      .filter((path) => path.startsWith("dist/console/"))
      .map((path) => gzipSync(readFileSync(join(root, path)), { level: 9 }).length)
      .reduce((sum, bytes) => sum + bytes, 0)
    const withoutConsole = tarballBytes - consoleBytes
    console.log(
      `the tarball: ${Math.round(tarballBytes / 1_000)} kB, ${Math.round(withoutConsole / 1_000)} without the console`
    )
    assert.isAbove(consoleBytes, 100_000)
    assert.isBelow(tarballBytes, maxBytes.withConsole)
    assert.isBelow(withoutConsole, maxBytes.withoutConsole)
    // Without the sources a map leads nowhere, and with them it is most of the package.
    assert.deepStrictEqual(
      packed.filter((path) => path.endsWith(".map")),
      []
    )
    assert.isNotEmpty(packed.filter((path) => /^sql\/\d{4}_\w+\.sql$/.test(path)))
    assert.deepStrictEqual(packed.filter((path) => !/^(?:dist|sql)\//.test(path)).sort(), [
      "LICENSE",
      "README.md",
      "package.json"
    ])
  })

  it("brings one copy of effect and no Node of its own", () => {
    const { app } = theApp()
    const lock = JSON.parse(readFileSync(join(app, "node_modules/.package-lock.json"), "utf8"))
    const paths = Object.keys(lock.packages)
    assert.deepStrictEqual(
      paths.filter((path) => path.endsWith("node_modules/effect")),
      ["node_modules/effect"]
    )
    assert.isFalse(existsSync(join(app, "node_modules/node")))
  })

  it("works from plain JavaScript, in memory and with the embedded database", async () => {
    const { app, inApp } = theApp()
    writeFileSync(
      join(app, "app.js"),
      `import { Effect } from "effect"
       import { WalletEngine } from "effect-wallet"
       const program = Effect.gen(function* () {
         const wallets = yield* WalletEngine
         yield* wallets.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "k1" })
         yield* wallets.credit({ walletId: "a", amount: 1050n, idempotencyKey: "k2" })
         const { replayed, wallet } = yield* wallets.credit({ walletId: "a", amount: 1050n, idempotencyKey: "k2" })
         return [wallet.balance, replayed].join()
       })
       const memory = await Effect.runPromise(program.pipe(Effect.provide(WalletEngine.layerMemory)))
       const embedded = WalletEngine.layerEmbedded({ dataDir: "data" })
       console.log(memory, await Effect.runPromise(program.pipe(Effect.provide(embedded))))`
    )
    assert.strictEqual((await inApp("node", "app.js")).trim().split("\n").at(-1), "1050,true 1050,true")
  })

  it("compiles wherever an app exports what it exports, by two compilers and two ways to look modules up", async () => {
    const { app, inApp } = theApp()
    mkdirSync(join(app, "src"))
    writeCompiledApp(app)
    await inApp("node", "everything.js")
    const [newest, oldest] = [join(root, "node_modules/typescript"), join(app, "node_modules/typescript-5")]
    // The older compiler takes minutes for each.
    for (const [compiler, project] of [
      [newest, "nodenext"],
      [newest, "bundler"],
      [oldest, "nodenext"]
    ] as const) {
      await inApp("node", join(compiler, "bin/tsc"), "-p", `tsconfig.${project}.json`)
    }
    const declared = readFileSync(join(app, "out-nodenext/App.d.ts"), "utf8")
    assert.match(declared, /embedded: .*Layer<.*EngineServices.*EngineWithStoresStartError/)
    assert.match(declared, /remote: Layer\.Layer<WalletEngine, .*RemoteMisconfigured.*>/)
    assert.notInclude(declared, "effect-wallet/dist")
  })

  it("is found by all resolvers that know modules, and wrong in no part of its manifest", async () => {
    const { inApp, tarball } = theApp()
    await inApp("node_modules/.bin/attw", tarball, "--profile", "esm-only", "--no-color", "--no-emoji")
    assert.match(await inApp("node_modules/.bin/publint", tarball, "--strict"), /All good!/)
  })

  it("is required from CommonJS, every door of it", async () => {
    const { app, inApp } = theApp()
    writeFileSync(
      join(app, "common.cjs"),
      `const { Effect } = require("effect")
       for (const door of ${JSON.stringify(doors)}) if (Object.keys(require(door)).length === 0) throw new Error(door)
       const { WalletEngine } = require("effect-wallet")
       const create = WalletEngine.use((wallets) =>
         wallets.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "k" }))
       Effect.runPromise(Effect.provide(create, WalletEngine.layerMemory)).then(({ wallet }) => console.log(wallet.id))`
    )
    assert.strictEqual((await inApp("node", "common.cjs")).trim(), "a")
  })

  it("runs in a bundle: the embedded database is found where npm has put it, KurrentDB's client is not loaded", async () => {
    const { app, inApp } = theApp()
    const { metafile } = await build({
      absWorkingDir: app,
      entryPoints: ["app.js"],
      outdir: "bundled",
      outExtension: { ".js": ".mjs" },
      bundle: true,
      // What is imported when it is needed stays apart: in one file all of it would be loaded at the start.
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node22",
      // Native parts and files of their own.
      external: ["@electric-sql/pglite", "@kurrent/kurrentdb-client", "@elastic/elasticsearch"],
      banner: {
        js: `import { createRequire as requireFrom } from "node:module"\nconst require = requireFrom(import.meta.url)`
      },
      metafile: true,
      logLevel: "error"
    })
    const loaded = loadedAtStart(metafile, "bundled/app.mjs")
    assert.include(loaded, "node:worker_threads")
    assert.notInclude(loaded, "@kurrent/kurrentdb-client")
    rmSync(join(app, "data"), { recursive: true, force: true })
    assert.strictEqual((await inApp("node", "bundled/app.mjs")).trim().split("\n").at(-1), "1050,true 1050,true")
  })

  it("has the client apart from the engine: no Node, few bytes", async () => {
    const { app } = theApp()
    const { metafile, outputFiles } = await build({
      absWorkingDir: app,
      stdin: { contents: `export { WalletClient } from "effect-wallet/client"`, resolveDir: app },
      bundle: true,
      minify: true,
      format: "esm",
      // Neutral: a module of Node is an error.
      platform: "neutral",
      external: ["effect/*"],
      metafile: true,
      write: false,
      logLevel: "silent"
    })
    const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
    assert.deepStrictEqual(
      outside.filter((path) => !path.startsWith("effect/")),
      []
    )
    assert.isBelow(gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length, maxClientBytes)
  })

  it("keeps the names of functions and classes, and its errors are the same by every door", async () => {
    const { app, inApp } = theApp()
    writeFileSync(
      join(app, "names.js"),
      `import { InsufficientFunds, WalletEngine, decide } from "effect-wallet"
       import { ApiKeys } from "effect-wallet/http"
       import * as Domain from "effect-wallet/domain"
       console.log(InsufficientFunds.name, WalletEngine.name, ApiKeys.name, decide.name)
       console.log(Domain.decide === decide)`
    )
    assert.deepStrictEqual((await inApp("node", "names.js")).trim().split("\n"), [
      "InsufficientFunds WalletEngine ApiKeys decide",
      "true"
    ])
  })

  it("runs, without node-redis: serves with the embedded database, answers, and ends with 0 on SIGTERM", async () => {
    const { app, inApp } = theApp()
    // npm brings node-redis, for a module of effect's that nothing here loads: docs and image say that it may be deleted.
    for (const name of ["redis", "@redis"]) rmSync(join(app, "node_modules", name), { recursive: true })
    for (const door of doors) await inApp("node", "-e", `await import(${JSON.stringify(door)})`)
    const version = await inApp("node_modules/.bin/effect-wallet", "--version")
    assert.include(version, JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version)
    const service = spawn("node_modules/.bin/wallet", ["serve", "--port", "0", "--json"], {
      cwd: app,
      env: { ...environment, WALLET_DATA_DIR: "served" },
      stdio: ["ignore", "pipe", "inherit"]
    })
    const ended = new Promise<number | null>((done) => service.once("exit", done))
    try {
      const line = await new Promise<string>((done) => createInterface({ input: service.stdout }).once("line", done))
      const { url } = JSON.parse(line)
      assert.strictEqual((await fetch(`${url}/health/ready`)).status, 200)
      // The thread that makes it is a file of the package.
      const definition = (await (await fetch(`${url}/openapi.json`)).json()) as { readonly openapi: string }
      assert.strictEqual(definition.openapi, "3.1.0")
      // The page of the API and the console are files of the package; they come as the client takes them.
      const script = await fetch(`${url}/docs/openapi-explorer.js`, { headers: { "accept-encoding": "identity" } })
      assert.isNull(script.headers.get("content-encoding"))
      assert.match(await script.text(), /customElements\.define\("openapi-explorer"/)
      assert.match(await (await fetch(`${url}/console`)).text(), /<script type="module"/)
      const key = readFileSync(join(app, "served/api-key"), "utf8").trim()
      // The threads of the load tool are files of the package, too.
      const options = [
        "--url",
        url,
        "--wallets",
        "2",
        "--rate",
        "50",
        "--warmup",
        "0",
        "--seconds",
        "2",
        "--threads",
        "2"
      ]
      await inApp("env", `WALLET_API_KEY=${key}`, "node_modules/.bin/wallet", "load", ...options)
    } finally {
      service.kill("SIGTERM")
    }
    assert.strictEqual(await ended, 0)
  })
})
