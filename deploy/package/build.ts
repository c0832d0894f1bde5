/**
 * Builds what is published into `dist`: a script and its declarations for each door, program and thread, over parts that
 * they share. So a class is there once, whichever door it comes by; what is imported when it is needed stays apart; and a
 * start reads some forty files in place of six hundred. Names of functions and classes stay, for stack traces.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { brotliCompressSync, constants } from "node:zlib"
import { rolldown } from "rolldown"
import { dts } from "rolldown-plugin-dts"
import { buildConsole } from "../../console/build.ts"
import { buildExplorer } from "./explorer.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const dist = Path.join(root, "dist")
/** Where `tsc` has put the declarations of each module. */
const declared = Path.join(root, "node_modules/.cache/declarations")

const manifest: { readonly exports: Readonly<Record<string, string | { readonly default: string }>> } = JSON.parse(
  Fs.readFileSync(Path.join(root, "package.json"), "utf8")
)

/** Of the library, as `testing/policy`. */
const doors = Object.values(manifest.exports).flatMap((door) =>
  typeof door === "string" ? [] : [door.default.slice("./dist/".length, -".js".length)]
)

/** Programs, and what threads begin with. */
const programs = [
  "bin/wallet",
  "bin/main",
  "bin/loadWorker",
  "stores/pglite/pgliteWorker",
  "load/pacerWorker",
  "http/openApiWorker"
]

const inputs = (names: ReadonlyArray<string>, folder: string, extension: string): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, Path.join(folder, name + extension)]))

/** All packages are for npm to bring. */
const external = (id: string): boolean => !/^[./]/.test(id)

const named = { function: true, class: true }

const scripts = async (): Promise<void> => {
  const bundle = await rolldown({
    cwd: root,
    input: inputs([...doors, ...programs], Path.join(root, "src"), ".ts"),
    platform: "node",
    external,
    // Programs import modules for what they do. (Package.json says so too, of `dist`.)
    treeshake: { moduleSideEffects: (id) => /\/src\/bin\/|Worker\.ts$/.test(id) },
    transform: { target: "es2024" },
    logLevel: "warn"
  })
  await bundle.write({
    dir: dist,
    format: "esm",
    chunkFileNames: "parts/[name]-[hash].js",
    // Else it is a part with what nearly the same doors use, and the client alone would bring all of that.
    codeSplitting: { groups: [{ name: "OwnerRoutes", test: /http\/api\/OwnerRoutes\.ts$/ }] },
    comments: { annotation: true, jsdoc: false, legal: false },
    minify: { compress: { keepNames: named }, mangle: { keepNames: true }, codegen: { removeWhitespace: true } }
  })
}

/** What no public type names is left out; comments stay. */
const declarations = async (): Promise<void> => {
  const bundle = await rolldown({
    cwd: root,
    input: inputs(doors, declared, ".d.ts"),
    external,
    plugins: [dts({ dtsInput: true, oxc: true, tsconfig: false, sourcemap: false })],
    logLevel: "warn"
  })
  await bundle.write({ dir: dist, format: "esm", chunkFileNames: "types/[name].d.ts" })
}

/** Packed as tightly as can be: whoever asks gets it as he takes it, after it was unpacked once. */
const explorer = async (): Promise<void> => {
  const folder = Path.join(dist, "http/docs")
  Fs.mkdirSync(folder, { recursive: true })
  const script = await buildExplorer()
  const packed = brotliCompressSync(script, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: script.length
    }
  })
  Fs.writeFileSync(Path.join(folder, "openapi-explorer.js.br"), packed)
  Fs.cpSync(Path.join(root, "node_modules/openapi-explorer/LICENSE"), Path.join(folder, "openapi-explorer.LICENSE"))
}

await scripts()
await declarations()
await explorer()
await buildConsole(Path.join(dist, "console"))
