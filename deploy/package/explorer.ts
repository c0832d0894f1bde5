/**
 * The page of the API as one script: OpenAPI Explorer (npm's `openapi-explorer`) from its modules, without what its own
 * bundle has for documents that are not ours. Run as a program it prints the script: that is how a service that runs from
 * source gets it.
 */
import { build, type Plugin } from "esbuild"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const own = (name: string): string => fileURLToPath(new URL(`explorer/${name}.ts`, import.meta.url))

/** Languages in which the document says nothing: its texts have JSON and shell, its bodies JSON. */
const unusedLanguages =
  /^prismjs\/components\/prism-(?:css|yaml|go|ruby|java|python|http|csharp|rust|php|markup-templating)\.js$/

const replaced: Plugin = {
  name: "replaced",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^openapi-resolver\// }, () => ({ path: own("localReferences") }))
    onResolve({ filter: /^i18next$/ }, () => ({ path: own("texts") }))
    onResolve({ filter: /^(?:json5|lodash\.clonedeep)$/ }, ({ path }) => ({ path, namespace: "builtin" }))
    onResolve({ filter: unusedLanguages }, ({ path }) => ({ path, namespace: "nothing" }))
    // What both packages do for a value of JSON every browser does.
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: path === "json5" ? "export default JSON" : "export default structuredClone.bind(globalThis)"
    }))
    onLoad({ filter: /./, namespace: "nothing" }, () => ({ contents: "" }))
  }
}

export const buildExplorer = async (): Promise<Uint8Array> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [fileURLToPath(import.meta.resolve("openapi-explorer/dist/es/openapi-explorer.js"))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    define: { global: "globalThis" },
    plugins: [replaced],
    write: false,
    logLevel: "warning"
  })
  const [script] = outputFiles
  if (script === undefined) throw new Error("no script was made")
  return script.contents
}

if (import.meta.main) process.stdout.write(await buildExplorer())
