/** What stands behind the doors of the package that are for everywhere: no Node, no engine, few bytes. */
import { build } from "esbuild"
import { resolve } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "vitest"

const root = resolve(import.meta.dirname, "../..")

/** As a bundler for browsers takes it; modules of effect stay outside: what imports a door has them anyway. */
const bundle = async (door: string) => {
  const made = await build({
    absWorkingDir: root,
    entryPoints: [`src/${door}.ts`],
    bundle: true,
    minify: true,
    format: "esm",
    // Neutral: a Node module is an error of the bundler, and not looked for.
    platform: "neutral",
    external: ["effect/*"],
    metafile: true,
    write: false,
    logLevel: "silent"
  })
  const [output] = made.outputFiles
  assert.isDefined(output)
  const outside = Object.values(made.metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  return {
    modules: Object.keys(made.metafile.inputs),
    outside,
    gzipped: gzipSync(output.contents, { level: 9 }).length
  }
}

describe("the doors for everywhere", () => {
  const doors: ReadonlyArray<readonly [door: string, mostBytes: number, folders: RegExp]> = [
    // The errors and the forms of queries and commands are the engine's; none of them has anything of it.
    [
      "client",
      50_000,
      /^src\/(?:client|(?:http\/WalletClient|http\/api\/\w+|domain\/\w+|remote\/\w+)|(?:engine\/(?:QueryForm|CommandOrigin)|actors\/(?:EngineError|Mailbox)|stores\/StoreError))\.ts$/
    ],
    ["api", 40_000, /^src\/(?:api\.ts|http\/api\/(?:document\/)?\w+\.ts|domain\/\w+\.ts)$/],
    ["domain", 30_000, /^src\/(?:domain\.ts|domain\/\w+\.ts)$/]
  ]
  for (const [door, mostBytes, allowed] of doors) {
    it(`/${door}: nothing but effect from outside, at most ${mostBytes} bytes packed, nothing of the engine`, async () => {
      const { gzipped, modules, outside } = await bundle(door)
      assert.isAbove(modules.length, 10)
      assert.deepStrictEqual(
        modules.filter((path) => !allowed.test(path)),
        []
      )
      assert.isNotEmpty(outside)
      assert.deepStrictEqual(
        outside.filter((path) => !path.startsWith("effect/")),
        []
      )
      assert.isBelow(gzipped, mostBytes)
    })
  }

  it("the client comes without the OpenAPI document", async () => {
    const { modules } = await bundle("client")
    assert.deepStrictEqual(
      modules.filter((path) => /document|OpenApiDocument/.test(path)),
      []
    )
  })

  it("would see a module of Node, and one of the engine", async () => {
    await bundle("index").then(
      () => assert.fail("bundled for a browser"),
      (failure: unknown) => assert.match(String(failure), /Could not resolve "node:/)
    )
  })
})
