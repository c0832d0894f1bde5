/**
 * `/console`: the page for people who look after wallets, built from the top-level folder `console/` into the package.
 * From source it is built when it is first asked for, by a process of its own, and kept until a source changes. All files
 * are in memory by their names: no path of a request ever becomes one of the file system.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { execFile } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { packageFile } from "../stores/PackageFile.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { problemReply, toResponse } from "./HttpReply.ts"
import { DocumentPlaces, makeStaticDocument, sendDocument, type StaticDocument } from "./StaticDocument.ts"

/** Beside those of the definition; all by `GET`. */
export const consolePaths = ["/console", "/console/", "/console/:file"] as const

/** Scripts and calls of this origin alone, and no text becomes markup: the page does not even try. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const secured = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

/** Another release has another page under this name. */
const pageHeaders = { ...secured, "cache-control": "no-cache" }
/** The name of a file has a hash of its contents. */
const fileHeaders = { ...secured, "cache-control": "public, max-age=31536000, immutable" }

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml"
}

interface Console {
  readonly page: StaticDocument
  /** By name. */
  readonly files: ReadonlyMap<string, StaticDocument>
}

/** Milliseconds for a build from source, which takes two seconds where nothing else runs. */
const buildMillis = 120_000

/** A failed build is not tried again before. Whoever asks needs no key. */
const retryAfter = "10 seconds"

/** Prints the folder that it has built, or found built already. */
const build = (): Promise<string> => {
  const script = fileURLToPath(new URL("../../console/build.ts", import.meta.url))
  const run = promisify(execFile)(process.execPath, [script, "--cached"], { timeout: buildMillis })
  return run.then(({ stdout }) => stdout.trim())
}

const folder = (): Promise<string> =>
  import.meta.url.endsWith(".ts")
    ? build()
    : Promise.resolve(
        fileURLToPath(
          packageFile({
            asker: import.meta.url,
            module: "http/ConsolePage",
            beside: "../console",
            packaged: "dist/console"
          })
        )
      )

const document = (path: string): Effect.Effect<StaticDocument> =>
  Effect.flatMap(
    Effect.promise(() => readFile(path)),
    (bytes) => makeStaticDocument(contentTypes[extname(path)] ?? "application/octet-stream", bytes)
  )

const load: Effect.Effect<Console> = Effect.gen(function* () {
  const root = yield* Effect.promise(folder)
  const names = yield* Effect.promise(() => readdir(join(root, "console")))
  const files = yield* Effect.forEach(names, (name) =>
    Effect.map(document(join(root, "console", name)), (made) => [name, made] as const)
  )
  return { page: yield* document(join(root, "index.html")), files: new Map(files) }
})

/** Once it is there it stays; until then it is tried again after a while. */
const makeConsole = Effect.gen(function* () {
  let loaded: Console | undefined
  const attempt = yield* Effect.cachedWithTTL(
    Effect.uninterruptible(
      Effect.tap(Effect.exit(load), (exit) => {
        if (Exit.isFailure(exit)) return Effect.logError("the console cannot be served", exit.cause)
        loaded = exit.value
        return Effect.void
      })
    ),
    retryAfter
  )
  return Effect.suspend(() => (loaded === undefined ? Effect.flatten(attempt) : Effect.succeed(loaded)))
})

const notBuilt = HttpServerResponse.text(
  "The console is not there. Where the service runs from source it is built when it is first asked for; that has " +
    "failed, and the service's log says why. `npm run build:console` tries it by hand; then ask again in ten seconds.\n",
  { status: 503, headers: { ...pageHeaders, "retry-after": "10" } }
)

const off = toResponse(problemReply("NotFound", "the console is off, by WALLET_CONSOLE"))
const noFile = toResponse(problemReply("NotFound", "the console has no such file: load the page again"))

const fileName = Effect.withFiber<string>((fiber) => {
  const { url } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
  return Effect.succeed(url.slice("/console/".length).split(/[?;#]/, 1)[0] ?? "")
})

/** The address is relative: a proxy may put something before it. */
const moved = HttpServerResponse.empty({ status: 308, headers: { location: "../console" } })

export const consolePage = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    if (!(yield* HttpConfig).console) {
      for (const path of consolePaths) yield* router.add("GET", path, Effect.succeed(off))
      return
    }
    const places = yield* DocumentPlaces
    const console = yield* makeConsole
    const answer = <R>(
      of: (made: Console) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
    ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
      Effect.matchCauseEffect(console, { onFailure: () => Effect.succeed(notBuilt), onSuccess: of })
    yield* router.add(
      "GET",
      "/console",
      answer(({ page }) => sendDocument(page, pageHeaders, places))
    )
    yield* router.add("GET", "/console/", Effect.succeed(moved))
    yield* router.add(
      "GET",
      "/console/:file",
      answer(({ files }) =>
        Effect.flatMap(fileName, (name) => {
          const file = files.get(name)
          return file === undefined ? Effect.succeed(noFile) : sendDocument(file, fileHeaders, places)
        })
      )
    )
  })
)
