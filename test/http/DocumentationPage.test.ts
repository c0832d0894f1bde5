/** The page of the API by its bytes and headers; `DocumentationPage.integration.test.ts` looks at it in a browser. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request } from "node:http"
import * as Zlib from "node:zlib"
import { openApiDocument } from "../../src/http/api/OpenApiDocument.ts"
import { documentationPaths } from "../../src/http/DocumentationPage.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

interface Sent {
  readonly headers: NodeJS.Dict<string | Array<string>>
  readonly bytes: Buffer
}

/** As it is on the wire: `fetch` would unpack it. */
const get = (url: string, encoding: string | undefined): Promise<Sent> =>
  new Promise((resolve, reject) => {
    const headers = encoding === undefined ? {} : { "accept-encoding": encoding }
    request(url, { headers }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => resolve({ headers: response.headers, bytes: Buffer.concat(chunks) }))
      response.on("error", reject)
    })
      .on("error", reject)
      .end()
  })

/** Of all that the page needs, packed. */
const maxPageBytes = 500_000

layer(Server.layer(), { excludeTestServices: true })("the page of the API", (it) => {
  it.effect("is small, and the same packed and plain", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      let bytes = 0
      for (const path of documentationPaths) {
        const packed = yield* Effect.promise(() => get(url + path, "br, gzip;q=0.8"))
        const plain = yield* Effect.promise(() => get(url + path, undefined))
        assert.strictEqual(packed.headers["content-encoding"], "gzip", path)
        assert.isUndefined(plain.headers["content-encoding"], path)
        assert.strictEqual(packed.headers["content-length"], String(packed.bytes.length))
        assert.isTrue(Zlib.gunzipSync(packed.bytes).equals(plain.bytes), path)
        const refused = yield* Effect.promise(() => get(url + path, "gzip;q=0, identity"))
        assert.isTrue(refused.bytes.equals(plain.bytes), path)
        assert.match(String(plain.headers["vary"]), /accept-encoding/)
        bytes += packed.bytes.length
      }
      assert.isBelow(bytes, maxPageBytes)
    })
  )

  it.effect("shows the document of this service, with scripts of this origin alone", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const document = yield* call("GET", "/openapi.json", { secret: null })
      assert.match(document.headers.get("content-type") ?? "", /^application\/json/)
      assert.deepStrictEqual(document.json, JSON.parse(JSON.stringify(openApiDocument())))
      const page = yield* call("GET", "/docs", { secret: null })
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
      const named = [...page.text.matchAll(/(?:src|href|spec-url)="([^"]*)"/g)].map(([, value]) => value)
      assert.sameMembers(named, ["data:,", "docs/openapi-explorer.js", "openapi.json", "openapi.json"])
      assert.notMatch(page.text, /<script(?![^>]*\ssrc=)|\son\w+=/)
      const policy = page.headers.get("content-security-policy") ?? ""
      assert.include(policy, "default-src 'none'")
      assert.include(policy, "script-src 'self';")
      assert.notMatch(policy, /https?:|\*|unsafe-eval/)
      const script = yield* call("GET", "/docs/openapi-explorer.js", { secret: null })
      assert.match(script.headers.get("content-type") ?? "", /^text\/javascript/)
      assert.strictEqual(script.headers.get("x-content-type-options"), "nosniff")
    })
  )
})
