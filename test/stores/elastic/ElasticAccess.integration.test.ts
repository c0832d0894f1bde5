/** Who may use a secured server, and what those who may not are told: on a real server with TLS, users and API keys. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { X509Certificate } from "node:crypto"
import * as Fs from "node:fs"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import type { SearchIndex } from "../../../src/stores/SearchIndex.ts"
import { sampleHold } from "../../../src/testing/contract/SearchIndexContract.ts"
import { freshIndexPrefix, ownElasticsearchPresent, TestElasticsearch } from "../../support/elasticsearch.ts"

const open = Effect.fnUntraced(function* (options: Partial<Connection.ElasticConnectionOptions>) {
  const server = yield* TestElasticsearch
  const connection = yield* Connection.make({
    nodes: [server.url],
    credentials: { username: "elastic", password: server.password },
    timeoutMillis: 60_000,
    ...options
  })
  const index = ElasticSearchIndex.make(connection, { prefix: freshIndexPrefix() })
  const state = yield* index.open("log-1")
  assert.deepStrictEqual(yield* index.current.write([sampleHold("w", 1)]), [])
  return state
})

const trusted = Effect.map(TestElasticsearch, ({ certificate }) => ({
  caCertificate: Fs.readFileSync(certificate, "utf8")
}))

const fingerprint = Effect.map(
  TestElasticsearch,
  ({ certificate }) => new X509Certificate(Fs.readFileSync(certificate)).fingerprint256
)

const apiKey = Effect.fnUntraced(function* (settings: object) {
  const { request } = yield* TestElasticsearch
  const { body, status } = yield* request("POST", "/_security/api_key", { name: "test", ...settings })
  assert.strictEqual(status, 200)
  return body as { readonly id: string; readonly encoded: string }
})

describe.skipIf(!ownElasticsearchPresent)("Elasticsearch with security", () => {
  layer(TestElasticsearch.layer({ secured: true }), { excludeTestServices: true, timeout: 900_000 })((it) => {
    it.effect("is used with a password, and its certificate known", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* open(yield* trusted))._tag, "Ready")
      })
    )

    it.effect("is used with an API key, and the fingerprint of its certificate known", () =>
      Effect.gen(function* () {
        const { encoded } = yield* apiKey({})
        const credentials = { apiKey: Redacted.make(encoded) }
        const caFingerprint = yield* fingerprint
        assert.strictEqual((yield* open({ credentials, caFingerprint }))._tag, "Ready")
        const plain = caFingerprint.replaceAll(":", "").toLowerCase()
        assert.strictEqual((yield* open({ credentials, caFingerprint: plain }))._tag, "Ready")
      })
    )

    it.effect("refuses a wrong password, and nobody is told it", () =>
      Effect.gen(function* () {
        const credentials = { username: "elastic", password: Redacted.make("not-the-password") }
        const failure = yield* Effect.flip(open({ ...(yield* trusted), credentials }))
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, /^https:\/\/127\.0\.0\.1:\d+ does not accept the credentials \(HTTP 401/)
        assert.notInclude(failure.reason, "not-the-password")
      })
    )

    it.effect("refuses an API key that is withdrawn, expired or none", () =>
      Effect.gen(function* () {
        const { request } = yield* TestElasticsearch
        const withdrawn = yield* apiKey({})
        assert.strictEqual((yield* request("DELETE", "/_security/api_key", { ids: [withdrawn.id] })).status, 200)
        const expired = yield* apiKey({ expiration: "1ms" })
        for (const encoded of [withdrawn.encoded, expired.encoded, "bm8ta2V5OmF0LWFsbA=="]) {
          const failure = yield* Effect.flip(
            open({ ...(yield* trusted), credentials: { apiKey: Redacted.make(encoded) } })
          )
          assert.strictEqual(failure._tag, "StoreUnavailable")
          assert.match(failure.reason, /HTTP 401/)
          assert.notInclude(failure.reason, encoded)
        }
      })
    )

    it.effect("is used with a key of no more than docs/SEARCH.md asks for: to make and rebuild it, and to serve", () =>
      Effect.gen(function* () {
        const { url } = yield* TestElasticsearch
        const prefix = freshIndexPrefix()
        const indexWith = Effect.fnUntraced(function* (privileges: ReadonlyArray<string>) {
          const { encoded } = yield* apiKey({
            role_descriptors: {
              wallet: { cluster: ["monitor"], indices: [{ names: [`${prefix}-*`], privileges }] }
            }
          })
          const credentials = { apiKey: Redacted.make(encoded) }
          const options = { nodes: [url], credentials, timeoutMillis: 60_000, ...(yield* trusted) }
          return ElasticSearchIndex.make(yield* Connection.make(options), { prefix })
        })
        const used = Effect.fnUntraced(function* (index: SearchIndex["Service"], version: number) {
          assert.deepStrictEqual(yield* index.open("log-1"), { _tag: "Ready" })
          assert.deepStrictEqual(yield* index.current.write([sampleHold("w", version)]), [])
          yield* index.current.saveCheckpoint(BigInt(version))
          yield* index.current.refresh
          yield* index.current.searchable
          assert.deepStrictEqual(yield* index.current.documentsOf(["w"]), [sampleHold("w", version)])
        })
        const maker = yield* indexWith(["manage", "read", "write"])
        yield* used(maker, 1)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* maker.next("log-1")
            yield* maker.holdWrites!
            yield* maker.swap
          })
        )
        assert.strictEqual(yield* maker.dropOld("log-1"), 1)
        const server = yield* indexWith(["view_index_metadata", "maintenance", "read", "write"])
        yield* used(server, 2)
        const next = yield* Effect.flip(Effect.scoped(server.next("log-1")))
        assert.match(next.reason, /HTTP 403/)
      })
    )

    it.effect("says that a key may not use these indexes", () =>
      Effect.gen(function* () {
        const { encoded } = yield* apiKey({
          role_descriptors: {
            reader: { cluster: ["monitor"], indices: [{ names: ["other-*"], privileges: ["read"] }] }
          }
        })
        const failure = yield* Effect.flip(
          open({ ...(yield* trusted), credentials: { apiKey: Redacted.make(encoded) } })
        )
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, /does not allow it to these credentials \(HTTP 403/)
      })
    )

    it.effect("is not trusted with a certificate that nobody vouches for", () =>
      Effect.gen(function* () {
        const bare = yield* Effect.flip(open({}))
        assert.strictEqual(bare._tag, "StoreUnavailable")
        assert.match(bare.reason, /certificate is not trusted .*ELASTICSEARCH_CA_CERT/)
        const wrong = yield* Effect.flip(open({ caFingerprint: (yield* fingerprint).replace(/^../, "00") }))
        assert.match(wrong.reason, /not of the CA of ELASTICSEARCH_CA_FINGERPRINT/)
      })
    )

    it.effect("is not spoken to without TLS", () =>
      Effect.gen(function* () {
        const { url } = yield* TestElasticsearch
        const failure = yield* Effect.flip(open({ nodes: [url.replace("https:", "http:")] }))
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.match(failure.reason, /^http:\/\/127\.0\.0\.1:\d+ cannot be reached: .*: is it https, not http\?$/)
      })
    )
  })
})
