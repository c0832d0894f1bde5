/** The console by its bytes and headers; `test/console` looks at it in a browser. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { request } from "node:http"
import * as Zlib from "node:zlib"
import { httpConfig } from "../../src/http/HttpConfig.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

interface Sent {
  readonly status: number
  readonly headers: NodeJS.Dict<string | Array<string>>
  readonly bytes: Buffer
}

/** As it is on the wire: `fetch` would unpack it, and make another path of one with dots. */
const send = (url: string, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Sent> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path, headers, method }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) })
      )
      response.on("error", reject)
    })
      .on("error", reject)
      .end()
  })

/** Of all that the console needs, packed. */
const maxConsoleBytes = 400_000

const filesOf = (page: string): ReadonlyArray<string> =>
  Array.from(page.matchAll(/(?:src|href)="\.\/(console\/[^"]+)"/g), ([, path = ""]) => `/${path}`)

layer(Server.layer(), { excludeTestServices: true })("the console", (it) => {
  it.effect("is a page and files beside it that fit into 400 kB, the same packed and plain", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const page = yield* Effect.promise(() => send(url, "/console"))
      assert.strictEqual(page.status, 200, page.bytes.toString())
      const files = filesOf(page.bytes.toString())
      assert.isAtLeast(files.length, 2)
      let bytes = 0
      for (const path of ["/console", ...files]) {
        const packed = yield* Effect.promise(() => send(url, path, { "accept-encoding": "gzip" }))
        const plain = yield* Effect.promise(() => send(url, path))
        assert.strictEqual(packed.headers["content-encoding"], "gzip", path)
        assert.isTrue(Zlib.gunzipSync(packed.bytes).equals(plain.bytes), path)
        assert.notStrictEqual(packed.headers["etag"], plain.headers["etag"])
        bytes += packed.bytes.length
      }
      console.log(`the console: ${bytes} bytes, packed`)
      assert.isBelow(bytes, maxConsoleBytes)
    })
  )

  it.effect("has no script in its page, and lets a browser load nothing from elsewhere", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const page = yield* Effect.promise(() => send(url, "/console"))
      const text = page.bytes.toString()
      assert.notMatch(text, /<script(?![^>]*\ssrc=)|\son\w+=|<style|\sstyle=|https?:\/\//)
      const script = yield* Effect.promise(() => send(url, filesOf(text)[0] ?? ""))
      assert.match(String(script.headers["content-type"]), /^text\/javascript/)
      for (const { headers } of [page, script]) {
        const policy = String(headers["content-security-policy"])
        assert.include(policy, "default-src 'none'")
        assert.include(policy, "connect-src 'self'")
        assert.include(policy, "frame-ancestors 'none'")
        assert.include(policy, "require-trusted-types-for 'script'")
        assert.notMatch(policy, /https?:|\*|unsafe/)
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["referrer-policy"], "no-referrer")
      }
    })
  )

  it.effect("is asked for anew each time, its files never", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const page = yield* Effect.promise(() => send(url, "/console"))
      assert.strictEqual(page.headers["cache-control"], "no-cache")
      const again = yield* Effect.promise(() =>
        send(url, "/console", { "if-none-match": String(page.headers["etag"]) })
      )
      assert.deepStrictEqual([again.status, again.bytes.length], [304, 0])
      assert.include(String(again.headers["content-security-policy"]), "default-src 'none'")
      const other = yield* Effect.promise(() => send(url, "/console", { "if-none-match": '"another"' }))
      assert.strictEqual(other.status, 200)
      for (const path of filesOf(page.bytes.toString())) {
        const { headers } = yield* Effect.promise(() => send(url, path))
        assert.match(String(headers["cache-control"]), /immutable/)
        assert.match(path, /-[\w-]{8}\.\w+$/)
      }
    })
  )

  it.effect("reads no path of a request from the file system", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const paths = [
        "/console/../package.json",
        "/console/..%2f..%2fpackage.json",
        "/console/%2e%2e/%2e%2e/package.json",
        "/console/..\\..\\package.json",
        "/console//etc/passwd",
        "/console/index.html",
        "/console/__proto__",
        "/console/constructor",
        "/console/%00",
        "/console/a/b",
        `/console/${"a".repeat(5_000)}`
      ]
      for (const path of paths) {
        const { bytes, headers, status } = yield* Effect.promise(() => send(url, path))
        assert.strictEqual(status, 404, `${path}: ${bytes.toString()}`)
        assert.strictEqual(headers["content-type"], "application/problem+json")
      }
    })
  )

  it.effect("answers GET and HEAD, and leads there who adds a slash", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const page = yield* Effect.promise(() => send(url, "/console"))
      const head = yield* Effect.promise(() => send(url, "/console", {}, "HEAD"))
      assert.deepStrictEqual([head.status, head.bytes.length], [200, 0])
      assert.strictEqual(head.headers["content-length"], String(page.bytes.length))
      for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
        const refused = yield* Effect.promise(() => send(url, "/console", {}, method))
        assert.deepStrictEqual([refused.status, refused.headers["allow"]], [405, "GET, HEAD, OPTIONS"], method)
      }
      const slash = yield* Effect.promise(() => send(url, "/console/?a=b"))
      assert.deepStrictEqual([slash.status, slash.headers["location"]], [308, "../console"])
    })
  )

  it.effect("serves many at once, who read nothing, and others beside them", () =>
    Effect.gen(function* () {
      const { port, raw, url } = yield* TestServer
      const [script = ""] = filesOf((yield* Effect.promise(() => send(url, "/console"))).bytes.toString())
      const many = Array.from({ length: 40 }, () => raw(`GET ${script} HTTP/1.1\r\nHost: a:${port}\r\n\r\n`, /200 OK/))
      const heads = yield* Effect.all(many, { concurrency: "unbounded" })
      assert.isTrue(heads.every((head) => head.startsWith("HTTP/1.1 200")))
      assert.strictEqual((yield* Effect.promise(() => send(url, "/console"))).status, 200)
    })
  )
})

layer(Server.layer({ console: false }), { excludeTestServices: true })("the console that is off", (it) => {
  it.effect("is not there", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      for (const path of ["/console", "/console/", "/console/x.js"]) {
        const { bytes, status } = yield* Effect.promise(() => send(url, path))
        assert.strictEqual(status, 404)
        assert.include(bytes.toString(), "WALLET_CONSOLE")
      }
      assert.strictEqual((yield* Effect.promise(() => send(url, "/docs"))).status, 200)
    })
  )
})

describe("WALLET_CONSOLE", () => {
  const consoleOf = (env: Record<string, string>) =>
    Effect.map(
      Config.map(httpConfig, (config) => config.console).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      ),
      (value) => value
    )

  it.effect("is on unless it says otherwise, and refuses what is neither", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* consoleOf({}))
      assert.isTrue(yield* consoleOf({ WALLET_CONSOLE: "on" }))
      assert.isFalse(yield* consoleOf({ WALLET_CONSOLE: "off" }))
      assert.match(String(yield* Effect.flip(consoleOf({ WALLET_CONSOLE: "perhaps" }))), /WALLET_CONSOLE/)
    })
  )
})
