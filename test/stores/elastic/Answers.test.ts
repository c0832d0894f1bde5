/** What is made of answers that no Elasticsearch of ours gives: a small server that says what it is told to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import Dns from "node:dns"
import * as Http from "node:http"
import type * as Net from "node:net"
import { text } from "node:stream/consumers"
import { vi } from "vitest"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import * as ElasticReadModel from "../../../src/stores/elastic/ElasticReadModel.ts"
import * as Searches from "../../../src/stores/elastic/Searches.ts"
import type { SearchDocument } from "../../../src/stores/SearchIndex.ts"
import { mistakenTexts } from "../../domain/MistakenNames.ts"
import { sampleHold, sampleTransaction } from "../../../src/testing/contract/SearchIndexContract.ts"

const product = { "x-elastic-product": "Elasticsearch", "content-type": "application/json" }

const serve = (answer: (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => void) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer((request, response) => {
        // A client that has given up sends no body to its end.
        text(request).then(
          (body) => answer(request, response, body),
          () => response.destroy()
        )
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => (server.address() as Net.AddressInfo).port))

const says = (status: number, headers: Http.OutgoingHttpHeaders, body: string): Http.RequestListener => {
  return (_, response) => response.writeHead(status, headers).end(body)
}

/** A name with these addresses, whatever this machine's resolver knows, until the scope closes. */
const resolving = (name: string, addresses: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { lookup } = Dns
      const answer = (asked: string, options: Dns.LookupAllOptions, done: (...found: ReadonlyArray<unknown>) => void) =>
        asked === name
          ? done(
              null,
              addresses.map((address) => ({ address, family: 4 }))
            )
          : lookup(asked, options, done)
      return vi.spyOn(Dns, "lookup").mockImplementation(answer as typeof lookup)
    }),
    (spy) => Effect.sync(() => spy.mockRestore())
  )

const largeHold = (version: number): SearchDocument => {
  const document = sampleHold("w", version)
  return document.kind === "hold"
    ? { ...document, hold: { ...document.hold, reference: "x".repeat(600_000) } }
    : document
}

const linesIn = (body: string): number => body.split("\n").length - 1

const indexAt = (...nodes: ReadonlyArray<string>) =>
  Effect.map(Connection.make({ nodes }), (connection) => ElasticSearchIndex.make(connection))

const failureOf = Effect.fnUntraced(function* (answer: Http.RequestListener) {
  const url = `http://127.0.0.1:${yield* serve(answer)}`
  const index = yield* indexAt(url)
  const opened = yield* Effect.flip(index.open("log"))
  const written = yield* Effect.flip(index.current.write([sampleHold("w", 1)]))
  for (const { reason } of [opened, written]) {
    assert.include(reason, url)
    assert.notInclude(reason, "\n")
  }
  return { opened, written }
})

const both = ({ opened, written }: Effect.Success<ReturnType<typeof failureOf>>, pattern: RegExp) => {
  assert.deepStrictEqual([opened._tag, written._tag], ["StoreUnavailable", "StoreUnavailable"])
  assert.match(opened.reason, pattern)
  assert.match(written.reason, pattern)
}

describe("documents of Elasticsearch's answers", () => {
  it.live("keep names of metadata that V8 mistakes for one another", () =>
    Effect.gen(function* () {
      const found = `{"hits":[${mistakenTexts()
        .map((metadata) => `{"_source":{"metadata":${metadata}}}`)
        .join(",")}]}`
      const port = yield* serve(says(200, product, found))
      const { request } = yield* Connection.make({ nodes: [`http://127.0.0.1:${port}`] })
      const { body } = yield* request({ method: "POST", path: "/wallets/_search", body: {} })
      assert.strictEqual(JSON.stringify(body), found)
    })
  )
})

describe("answers that are not Elasticsearch's", () => {
  it.live("a gateway's page is a server that is away", () =>
    Effect.gen(function* () {
      const page = "<html>\n<body>Bad\nGateway</body></html>"
      both(yield* failureOf(says(502, { "content-type": "text/html" }, page)), /HTTP 502/)
    })
  )

  it.live("an answer without the product's header is of another product", () =>
    Effect.gen(function* () {
      const other = says(200, { "content-type": "application/json" }, `{"version":{"number":"2.19.0"}}`)
      both(yield* failureOf(other), /is not Elasticsearch/)
    })
  )

  it.live("half an answer is none", () =>
    Effect.gen(function* () {
      both(yield* failureOf(says(200, product, `{"version":{"num`)), /cut off or is not JSON/)
      const cut: Http.RequestListener = (_, response) => {
        response.writeHead(200, { ...product, "content-length": "500" })
        response.write(`{"version":`, () => response.destroy())
      }
      both(yield* failureOf(cut), /cannot be reached/)
      const fewer = yield* failureOf((request, response) =>
        request.url?.startsWith("/_bulk") === true
          ? response.writeHead(200, product).end(`{"items":[]}`)
          : response.writeHead(429, product).end()
      )
      both(fewer, /not whole|HTTP 429/)
    })
  )

  it.live("an older server is named, whether it answers or refuses to understand", () =>
    Effect.gen(function* () {
      const old = yield* indexAt(
        `http://127.0.0.1:${yield* serve(says(200, product, `{"version":{"number":"8.19.2"}}`))}`
      )
      const state = yield* old.open("log")
      assert.strictEqual(state._tag, "Unfit")
      assert.match(JSON.stringify(state), /Elasticsearch 9 or later is needed; it says 8\.19\.2/)
      const error = { type: "media_type_header_exception", reason: "Invalid media-type value on headers [Accept]" }
      both(yield* failureOf(says(400, product, JSON.stringify({ error, status: 400 }))), /9 or later is needed/)
    })
  )

  it.live("of several nodes those that are there are asked", () =>
    Effect.gen(function* () {
      const port = yield* serve(says(200, product, `{"version":{"number":"8.0.0"}}`))
      const dead = `http://127.0.0.1:${yield* Effect.scoped(serve(says(200, product, "")))}`
      const index = yield* indexAt(dead, `http://127.0.0.1:${port}`)
      for (let turn = 0; turn < 4; turn++) assert.strictEqual((yield* index.open("log"))._tag, "Unfit")
    })
  )

  it.live("of several addresses of a name the one that is there is asked", () =>
    Effect.gen(function* () {
      const port = yield* serve(says(200, product, `{"version":{"number":"8.0.0"}}`))
      yield* resolving("search.invalid", ["127.0.0.2", "127.0.0.1"])
      const index = yield* indexAt(`http://search.invalid:${port}`)
      assert.strictEqual((yield* index.open("log"))._tag, "Unfit")
    })
  )

  it.live("a bulk that is too large is parted, and a document that is too large alone is refused", () =>
    Effect.gen(function* () {
      let requests = 0
      const port = yield* serve((_, response) => {
        requests++
        response.writeHead(413, product).end()
      })
      const index = yield* indexAt(`http://127.0.0.1:${port}`)
      const letters = yield* index.current.write([1, 2, 3].map(largeHold))
      assert.deepStrictEqual(
        letters.map(({ reason, version }) => [reason, version]),
        [1, 2, 3].map((version) => ["HTTP 413", version])
      )
      assert.strictEqual(requests, 5)
    })
  )

  it.live("a proxy that finds all requests too large, or bad, or knows no such page, refuses no document", () =>
    Effect.gen(function* () {
      const html = { "content-type": "text/html" }
      for (const [status, pattern] of [
        [413, /does not take a request of \d+ bytes \(HTTP 413\)/],
        [400, /is there a path or a proxy in between\?/],
        [404, /is there a path or a proxy in between\?/],
        [405, /is there a path or a proxy in between\?/]
      ] as const) {
        let requests = 0
        const url = `http://127.0.0.1:${yield* serve((_, response) => {
          requests++
          response.writeHead(status, html).end("<html>\nno</html>")
        })}`
        const index = yield* indexAt(url)
        const failure = yield* Effect.flip(index.current.write([1, 2, 3].map((version) => sampleHold("w", version))))
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, pattern)
        assert.include(failure.reason, url)
        assert.strictEqual(requests, 1)
        const opened = yield* Effect.flip(index.open("log"))
        assert.strictEqual(opened._tag, "StoreUnavailable")
        const model = ElasticReadModel.make(yield* Searches.make(yield* Connection.make({ nodes: [url] }), "wallet"))
        for (let count = 0; count < 5; count++) {
          assert.strictEqual((yield* Effect.flip(model.searchWallets({ limit: 1 })))._tag, "StoreUnavailable")
        }
      }
    })
  )

  it.live(
    "a reason that may be any is a document's where others of its kind are taken, and the index's where none is",
    () =>
      Effect.gen(function* () {
        const error = { type: "illegal_argument_exception", reason: "pipeline with id [none] does not exist" }
        const answer = (...statuses: ReadonlyArray<number>): Http.RequestListener =>
          says(
            200,
            product,
            JSON.stringify({
              items: statuses.map((status) => ({ index: { status, ...(status >= 400 && { error }) } }))
            })
          )
        const documents = [1, 2].map((version) => sampleHold("w", version))
        const some = yield* indexAt(`http://127.0.0.1:${yield* serve(answer(201, 400))}`)
        assert.deepStrictEqual(
          (yield* some.current.write(documents)).map(({ version }) => version),
          [2]
        )
        const all = yield* indexAt(`http://127.0.0.1:${yield* serve(answer(400, 400))}`)
        const failure = yield* Effect.flip(all.current.write(documents))
        assert.include(failure.reason, "pipeline with id [none] does not exist")
      })
  )

  it.live("a bulk that takes too long is parted: a server that is slow for now comes on with a smaller one", () =>
    Effect.gen(function* () {
      const sizes: Array<number> = []
      const port = yield* serve((_, response, body) => {
        const documents = linesIn(body) / 2
        sizes.push(documents)
        if (documents > 1_000) return
        const items = Array.from({ length: documents }, () => ({ index: { status: 201 } }))
        response.writeHead(200, product).end(JSON.stringify({ items }))
      })
      const connection = yield* Connection.make({ nodes: [`http://127.0.0.1:${port}`] })
      const index = ElasticSearchIndex.make(connection, { bulkTimeoutMillis: 2_000 })
      const documents = Array.from({ length: 4_000 }, (_, version) => sampleTransaction("w", version))
      assert.deepStrictEqual(yield* index.current.write(documents), [])
      assert.deepStrictEqual(sizes.slice(0, 3), [4_000, 2_000, 1_000])
    })
  )

  it.live("where nobody listens it says so at once, without the password of the address", () =>
    Effect.gen(function* () {
      const port = yield* Effect.scoped(serve(says(200, product, "")))
      const index = yield* indexAt(`http://elastic:secret-word@127.0.0.1:${port}`)
      const failure = yield* Effect.flip(index.open("log"))
      assert.strictEqual(failure._tag, "StoreUnavailable")
      assert.match(failure.reason, new RegExp(`^http://127\\.0\\.0\\.1:${port} cannot be reached`))
      assert.notInclude(failure.reason, "secret-word")
      const malformed = yield* Effect.flip(indexAt("http://elastic:secret-word@[oops"))
      assert.notInclude(malformed.reason, "secret-word")
    })
  )
})
