/**
 * The package as users get it: packed, installed in an empty folder, used from plain
 * JavaScript and from TypeScript, and run.
 */
import { execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const run = promisify(execFile)
const root = resolve(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "wallet-package-"))
const app = join(folder, "app")

/** Without the variables that npm sets for the scripts of this repository. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^WALLET_|^DATABASE_URL$|^NODE_OPTIONS$/i.test(name))
)

const inApp = (command: string, ...args: ReadonlyArray<string>) =>
  run(command, args, { cwd: app, env: environment, maxBuffer: 16 * 1024 * 1024 })

let packed: ReadonlyArray<string> = []

beforeAll(async () => {
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    env: environment,
    maxBuffer: 16 * 1024 * 1024
  })
  const [tarball] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))) as ReadonlyArray<{
    readonly filename: string
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  assert.isDefined(tarball)
  packed = tarball.files.map((file) => file.path)
  mkdirSync(app)
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
  await inApp("npm", "install", "--no-audit", "--no-fund", join(folder, tarball.filename))
}, 900_000)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe("the published package", () => {
  it("holds the program, the migrations and the documents, and nothing else", () => {
    for (const path of [
      "dist/index.js",
      "dist/index.d.ts",
      "dist/bin/wallet.js",
      "README.md",
      "LICENSE",
      "CHANGELOG.md"
    ]) {
      assert.include(packed, path)
    }
    assert.notInclude(packed, "dist/bin/bench.js")
    // Without the sources a map leads nowhere, and with them it is most of the package.
    assert.deepStrictEqual(
      packed.filter((path) => path.endsWith(".map")),
      []
    )
    assert.isNotEmpty(packed.filter((path) => /^sql\/\d{4}_\w+\.sql$/.test(path)))
    assert.deepStrictEqual(packed.filter((path) => !/^(?:dist|sql)\//.test(path)).sort(), [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json"
    ])
  })

  it("brings one copy of effect and no Node of its own", () => {
    const lock = JSON.parse(readFileSync(join(app, "node_modules/.package-lock.json"), "utf8"))
    const paths = Object.keys(lock.packages)
    assert.deepStrictEqual(
      paths.filter((path) => path.endsWith("node_modules/effect")),
      ["node_modules/effect"]
    )
    assert.isFalse(existsSync(join(app, "node_modules/node")))
    assert.isFalse(existsSync(join(app, "node_modules/typescript")))
  })

  it("works from plain JavaScript, in memory and with the embedded database", async () => {
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
    const { stdout } = await inApp("node", "app.js")
    assert.strictEqual(stdout.trim().split("\n").at(-1), "1050,true 1050,true")
  })

  it("types check against its declarations", async () => {
    writeFileSync(
      join(app, "app.ts"),
      `import { Effect } from "effect"
       import { type InsufficientFunds, WalletEngine } from "effect-wallet"
       import { WalletClient } from "effect-wallet/http"
       import { given } from "effect-wallet/testing"
       export const program: Effect.Effect<bigint, InsufficientFunds, WalletEngine> = Effect.gen(function* () {
         const wallets = yield* WalletEngine
         const { transaction } = yield* wallets.debit({ walletId: "a", amount: 1n, idempotencyKey: "k" })
         return transaction.balanceAfter
       }).pipe(Effect.catch((error) => error._tag === "InsufficientFunds" ? Effect.fail(error) : Effect.die(error)))
       // @ts-expect-error an amount is a bigint
       export const wrong = WalletEngine.use((wallets) => wallets.debit({ walletId: "a", amount: 1, idempotencyKey: "k" }))
       export { given, WalletClient }`
    )
    const config = {
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        module: "NodeNext",
        target: "ES2024",
        lib: ["ES2024", "DOM"],
        types: ["node"],
        typeRoots: [join(root, "node_modules/@types")],
        skipLibCheck: true,
        noEmit: true
      },
      files: ["app.ts"]
    }
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify(config))
    const { stdout } = await inApp(join(root, "node_modules/.bin/tsc")).catch((error) => ({ stdout: error.stdout }))
    assert.strictEqual(stdout, "")
  })

  it("runs: serves with the embedded database, answers, and ends with 0 on SIGTERM", async () => {
    const { stdout: version } = await inApp("node_modules/.bin/wallet", "--version")
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
      const key = readFileSync(join(app, "served/api-key"), "utf8").trim()
      const wallets = await fetch(`${url}/v1/wallets`, { headers: { authorization: `Bearer ${key}` } })
      assert.deepStrictEqual(await wallets.json(), { data: [], next: null })
    } finally {
      service.kill("SIGTERM")
    }
    assert.strictEqual(await ended, 0)
  })
})
