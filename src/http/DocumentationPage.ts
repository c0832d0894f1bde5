/**
 * `/openapi.json`, and `/docs`: a page that shows it and sends requests, made by OpenAPI Explorer (npm's
 * `openapi-explorer`, Apache-2.0), built by `deploy/package/explorer.ts`. All of it is from this origin and a browser
 * is told to load nothing else; a key that is typed in stays in the page.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Worker } from "node:worker_threads"
import { brotliDecompress } from "node:zlib"
import { packageFile, threadProgram } from "../stores/PackageFile.ts"
import { openApiDocument } from "./api/OpenApiDocument.ts"
import { DocumentPlaces, makeStaticDocument, sendDocument } from "./StaticDocument.ts"

/** Beside those of the definition; all by `GET`. */
export const documentationPaths = ["/openapi.json", "/docs", "/docs/openapi-explorer.js"] as const

/** Of the page's script, unpacked; it is a third of it. */
const maxExplorerBytes = 1024 * 1024

/** Milliseconds for a build from source, which takes less than one second where nothing else runs. */
const buildMillis = 120_000

/** Scripts of this origin alone. The page's elements have styles of their own, in their attributes. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** By relative paths: a proxy may put something before them. What stands in the element is there until it is drawn. */
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>effect-wallet: API</title>
<link rel="icon" href="data:,">
<style>body{margin:0;font-family:system-ui,sans-serif}main{padding:2rem}</style>
<script type="module" src="docs/openapi-explorer.js"></script>
</head>
<body>
<openapi-explorer spec-url="openapi.json" hide-console="true" default-schema-tab="body">
<main><h1>effect-wallet</h1><p>The API as a page needs JavaScript. As a document it is <a href="openapi.json">openapi.json</a>.</p></main>
</openapi-explorer>
</body>
</html>
`

const text = (contents: string): Effect.Effect<Uint8Array> => Effect.sync(() => new TextEncoder().encode(contents))

const openApiWorker = (): URL => threadProgram(import.meta.url, "http/DocumentationPage", "http/openApiWorker")

/**
 * Half a second of work: in a thread of its own it keeps nobody waiting but who has asked for it. An app that was bundled
 * may have left the thread's program behind.
 */
const openApi = Effect.callback<Uint8Array, unknown>((resume) => {
  const worker = new Worker(openApiWorker(), { execArgv: [], name: "effect-wallet-openapi" })
  worker.once("message", (bytes: Uint8Array) => resume(Effect.succeed(bytes)))
  worker.once("error", (error) => resume(Effect.fail(error)))
  worker.once("exit", (code) => resume(Effect.fail(new Error(`the thread has ended with ${code}`))))
  return Effect.promise(() => worker.terminate())
}).pipe(
  Effect.catchCause((cause) =>
    Effect.andThen(
      Effect.logInfo("the OpenAPI document is made in the service's own thread", cause),
      text(JSON.stringify(openApiDocument()))
    )
  )
)

/** From source it is built when it is first asked for, by a process of its own; in the package it is packed. */
const explorer = (): Promise<Uint8Array> =>
  import.meta.url.endsWith(".ts")
    ? promisify(execFile)(
        process.execPath,
        [fileURLToPath(new URL("../../deploy/package/explorer.ts", import.meta.url))],
        {
          encoding: "buffer",
          maxBuffer: maxExplorerBytes,
          timeout: buildMillis
        }
      ).then(({ stdout }) => stdout)
    : readFile(
        packageFile({
          asker: import.meta.url,
          module: "http/DocumentationPage",
          beside: "./docs/openapi-explorer.js.br",
          packaged: "dist/http/docs/openapi-explorer.js.br"
        })
      ).then((packed) => promisify(brotliDecompress)(packed, { maxOutputLength: maxExplorerBytes }))

const secured = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  // Another release has other bytes under the same name.
  "cache-control": "no-cache"
}

const contents: Readonly<Record<(typeof documentationPaths)[number], readonly [string, Effect.Effect<Uint8Array>]>> = {
  "/openapi.json": ["application/json", openApi],
  "/docs": ["text/html; charset=utf-8", text(page)],
  "/docs/openapi-explorer.js": ["text/javascript; charset=utf-8", Effect.promise(explorer)]
}

/** Each is made when it is first asked for, once: whoever asks and goes away leaves it to the next. */
export const documentation = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const places = yield* DocumentPlaces
    for (const path of documentationPaths) {
      const [contentType, bytes] = contents[path]
      const document = yield* Effect.cached(
        Effect.uninterruptible(Effect.flatMap(bytes, (made) => makeStaticDocument(contentType, made)))
      )
      const answer = Effect.flatMap(document, (made) => sendDocument(made, secured, places))
      yield* router.add("GET", path, answer)
    }
  })
)
