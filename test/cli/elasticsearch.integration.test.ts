/** The executable with its search on a secured Elasticsearch, as the environment says it: TLS and an API key of few rights. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { migratedDataDir } from "../support/embedded.ts"
import { ownElasticsearch, ownElasticsearchPresent } from "../support/elasticsearch.ts"
import { runWallet, type Service, startService } from "./WalletProcess.ts"

/** For what hangs. */
const limit = 600_000

const walletKey = "a-key-of-the-service-for-this-test"

/** The same command has the same key, however often it is sent. */
const ask = (service: Service, path: string, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(service.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        authorization: `Bearer ${walletKey}`,
        "content-type": "application/json",
        "idempotency-key": `key-of-${path.replaceAll("/", "-")}`
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    return { status: response.status, text: await response.text() }
  })

/** Again until it is so. */
const until = (question: ReturnType<typeof ask>, isSo: (answer: { status: number; text: string }) => boolean) =>
  Effect.repeat(question, { schedule: Schedule.spaced("100 millis"), until: isSo })

describe.skipIf(!ownElasticsearchPresent)("wallet serve with search on a secured Elasticsearch", () => {
  it.live(
    "uses an API key that may use its own indexes and nothing else, and says so when it is withdrawn",
    () =>
      Effect.gen(function* () {
        const server = yield* ownElasticsearch({ secured: true })
        const made = yield* server.request("POST", "/_security/api_key", {
          name: "wallet",
          role_descriptors: {
            wallet: { cluster: ["monitor"], indices: [{ names: ["wallet-*"], privileges: ["all"] }] }
          }
        })
        const { encoded, id } = made.body as { readonly encoded: string; readonly id: string }
        const environment = {
          WALLET_DATA_DIR: yield* migratedDataDir,
          WALLET_API_KEY: walletKey,
          ELASTICSEARCH_URL: server.url,
          ELASTICSEARCH_API_KEY: encoded
        }
        const byFile = { ...environment, ELASTICSEARCH_CA_CERT: server.certificate }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const service = yield* startService(byFile)
            const created = yield* until(
              ask(service, "/v1/wallets?await=indexed", { id: "alice", ownerId: "alice", currency: "EUR" }),
              ({ text }) => text.includes('"indexed":true')
            )
            assert.include([201, 200], created.status)
            assert.include((yield* ask(service, "/v1/wallets?q=alice")).text, '"id":"alice"')
            assert.notInclude((yield* ask(service, "/health/ready")).text, "degraded")
            assert.strictEqual((yield* server.request("DELETE", "/_security/api_key", { ids: [id] })).status, 200)
            const search = yield* until(ask(service, "/v1/wallets?q=alice"), ({ status }) => status === 503)
            assert.match(search.text, /"code":"StoreUnavailable"/)
            const credit = yield* ask(service, "/v1/wallets/alice/credit", { amount: "5" })
            assert.strictEqual(credit.status, 201)
            const ready = yield* until(ask(service, "/health/ready"), ({ text }) => text.includes("degraded"))
            assert.strictEqual(ready.status, 200)
            assert.match(ready.text, /Elasticsearch at https:\/\/127\.0\.0\.1:\d+ does not accept the credentials/)
            for (const text of [search.text, ready.text, service.stderr()]) assert.notInclude(text, encoded)
          })
        )
        const again = yield* server.request("POST", "/_security/api_key", { name: "wallet" })
        const fingerprint = new X509Certificate(readFileSync(server.certificate)).fingerprint256
        const byFingerprint = {
          ...environment,
          ELASTICSEARCH_API_KEY: (again.body as { readonly encoded: string }).encoded,
          ELASTICSEARCH_CA_FINGERPRINT: fingerprint
        }
        const rebuilt = yield* runWallet(["replay", "--target", "readModel"], byFingerprint)
        assert.strictEqual(rebuilt.code, 0, rebuilt.stderr)
        const verified = yield* runWallet(["verify"], byFingerprint)
        assert.strictEqual(verified.code, 0, verified.stdout + verified.stderr)
      }).pipe(Effect.scoped),
    limit
  )
})
