/** The tools of an agent: the real service, the real `wallet mcp`, the protocol's official client. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { compileCache, executable, runWallet, startService } from "../cli/WalletProcess.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { httpAgent, stdioAgent } from "./AgentClient.ts"

const adminKey = "an-admin-key-of-the-test"

class Wallets extends Context.Service<
  Wallets,
  {
    readonly url: string
    readonly post: (path: string, body: unknown) => Effect.Effect<{ readonly secret?: string }>
    readonly balance: (walletId: string) => Effect.Effect<string>
  }
>()("effect-wallet/test/mcp/Wallets") {}

let keys = 0
const running = Layer.effect(
  Wallets,
  Effect.gen(function* () {
    const service = yield* startService({ WALLET_DATA_DIR: yield* migratedDataDir, WALLET_API_KEY: adminKey })
    const authorization = `Bearer ${adminKey}`
    return {
      url: service.url,
      post: (path, body) =>
        Effect.promise(async () => {
          const headers = { authorization, "content-type": "application/json", "idempotency-key": `key-${keys++}` }
          const answer = await fetch(`${service.url}/v1${path}`, {
            method: "POST",
            headers,
            body: JSON.stringify(body)
          })
          assert.strictEqual(answer.status, 201)
          return (await answer.json()) as { readonly secret?: string }
        }),
      balance: (walletId) =>
        Effect.promise(async () => {
          const answer = await fetch(`${service.url}/v1/wallets/${walletId}`, { headers: { authorization } })
          return ((await answer.json()) as { readonly balance: string }).balance
        })
    }
  })
)

const keyOf = (wallets: Wallets["Service"], ...scopes: ReadonlyArray<string>) =>
  Effect.map(wallets.post("/keys", { name: "agent", scopes }), ({ secret }) => secret ?? "")

const create = (wallets: Wallets["Service"], ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => wallets.post("/wallets", { id, ownerId: "o", currency: "EUR" }))

/** `wallet mcp --listen 0` until the scope closes; where it says that it is. */
const listening = (service: string, ...flags: ReadonlyArray<string>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly url: string; readonly stop: Promise<void> & { readonly kill: () => void } }>(
        (resume) => {
          const child = spawn(process.execPath, [executable, "mcp", "--url", service, "--listen", "0", ...flags], {
            // Not to be used for anybody.
            env: { ...compileCache, PATH: process.env.PATH, WALLET_API_KEY: adminKey, WALLET_MCP_KEY: adminKey },
            stdio: ["ignore", "ignore", "pipe"]
          })
          const ended = new Promise<void>((done) => child.once("close", () => done()))
          const stop = Object.assign(ended, { kill: () => void child.kill("SIGTERM") })
          createInterface({ input: child.stderr }).on("line", (line) => {
            const [url] = /http:\S+$/.exec(line) ?? []
            if (url !== undefined) resume(Effect.succeed({ url, stop }))
          })
          child.once("close", (code) => resume(Effect.die(new Error(`wallet mcp ended with ${code}`))))
        }
      ),
      ({ stop }) => Effect.promise(() => (stop.kill(), stop))
    ),
    ({ url }) => url
  )

it.layer(running)((it) => {
  describe("an agent over standard input and output", () => {
    it.effect("moves money by every tool, once a key, as far as its key lets it", () =>
      Effect.gen(function* () {
        const wallets = yield* Wallets
        yield* create(wallets, "a", "b")
        const { call, client } = yield* stdioAgent(wallets.url, yield* keyOf(wallets, "wallets:read", "wallets:write"))
        const { tools } = yield* Effect.promise(() => client.listTools())
        for (const { annotations, inputSchema, name } of tools) {
          const isCommand = annotations?.readOnlyHint !== true
          assert.strictEqual(inputSchema.required?.includes("idempotencyKey") ?? false, isCommand, name)
        }
        assert.isFalse((yield* call("credit", { walletId: "a", amount: "1000", idempotencyKey: "1" })).isError)
        const again = yield* call("credit", { walletId: "a", amount: "1000", idempotencyKey: "1" })
        assert.deepInclude(again.body, { replayed: true })
        const debited = yield* call("debit", { walletId: "a", amount: "100", reference: "tea", idempotencyKey: "2" })
        const { hold } = (yield* call("place_hold", { walletId: "a", amount: "50", idempotencyKey: "3" })).body
        const other = (yield* call("place_hold", { walletId: "a", amount: "60", idempotencyKey: "4" })).body.hold
        yield* call("capture_hold", { walletId: "a", holdId: hold.id, amount: "20", final: true, idempotencyKey: "5" })
        yield* call("release_hold", { walletId: "a", holdId: other.id, idempotencyKey: "6" })
        const sent = yield* call("transfer", { from: "a", to: "b", amount: "300", idempotencyKey: "7" })
        yield* call("refund_transaction", { transactionId: debited.body.transaction.id, idempotencyKey: "8" })
        yield* call("refund_transfer", { transferId: sent.body.transfer.id, amount: "100", idempotencyKey: "9" })
        assert.deepStrictEqual([yield* wallets.balance("a"), yield* wallets.balance("b")], ["780", "200"])
        assert.strictEqual((yield* call("get_wallet", { walletId: "a" })).body.available, "780")
        assert.lengthOf((yield* call("list_transactions", { walletId: "a", type: "debit" })).body.data, 1)
        assert.lengthOf((yield* call("list_holds", { walletId: "a", status: "released" })).body.data, 1)
        const { body } = yield* call("get_transfer", { transferId: sent.body.transfer.id })
        assert.deepInclude(body, { status: "completed", refunded: "100" })
      }).pipe(Effect.scoped)
    )

    it.effect("spends no more than its key was given, and sees no more", () =>
      Effect.gen(function* () {
        const wallets = yield* Wallets
        yield* create(wallets, "mine", "other")
        yield* wallets.post("/wallets/mine/credit", { amount: "1000" })
        const restriction = { walletIds: ["mine"], types: ["debit"], limits: { perOperation: "60", perDay: "100" } }
        const made = yield* wallets.post("/keys", {
          name: "agent",
          scopes: ["wallets:read", "wallets:write"],
          restriction
        })
        const { call } = yield* stdioAgent(wallets.url, made.secret ?? "")
        assert.deepInclude((yield* call("get_key", {})).body, { restriction })
        const debit = (amount: string, idempotencyKey: string) =>
          Effect.map(call("debit", { walletId: "mine", amount, idempotencyKey }), ({ body }) => body.code ?? "ok")
        assert.deepStrictEqual(
          [yield* debit("61", "1"), yield* debit("60", "2"), yield* debit("41", "3"), yield* debit("40", "4")],
          ["KeyLimitExceeded", "ok", "KeyLimitExceeded", "ok"]
        )
        assert.strictEqual(yield* debit("60", "2"), "ok")
        const codes = [
          yield* call("credit", { walletId: "mine", amount: "1", idempotencyKey: "5" }),
          yield* call("transfer", { from: "mine", to: "other", amount: "1", idempotencyKey: "6" }),
          yield* call("get_wallet", { walletId: "other" })
        ].map(({ body }) => body.code)
        assert.deepStrictEqual(codes, ["Forbidden", "Forbidden", "WalletNotFound"])
        assert.strictEqual(yield* wallets.balance("mine"), "900")
      }).pipe(Effect.scoped)
    )

    it.effect("is told what is wrong, and changes nothing by a dry run or by what has not its form", () =>
      Effect.gen(function* () {
        const wallets = yield* Wallets
        yield* create(wallets, "c")
        const { call } = yield* stdioAgent(wallets.url, yield* keyOf(wallets, "wallets:write"))
        const short = yield* call("debit", { walletId: "c", amount: "7", idempotencyKey: "1" })
        assert.isTrue(short.isError)
        assert.deepInclude(short.body, { code: "InsufficientFunds", shortage: "7", retryable: false })
        const tried = yield* call("dry_run", { try: { command: "credit", walletId: "c", amount: "7" } })
        assert.deepInclude(tried.body, { dryRun: true })
        const shortTried = yield* call("dry_run", { try: { command: "debit", walletId: "c", amount: "7" } })
        assert.deepInclude(shortTried.body, { code: "InsufficientFunds" })
        for (const given of [
          { walletId: "c", amount: "7" },
          { walletId: "c", amount: 7, idempotencyKey: "k" },
          { walletId: "c", amount: "7", idempotencyKey: "" },
          { walletId: "c", amount: "-7", idempotencyKey: "k" },
          { walletId: "c/../a", amount: "7", idempotencyKey: "k" },
          { walletId: "c", amount: "7", idempotencyKey: "k", force: true }
        ]) {
          assert.isTrue((yield* call("debit", given)).isError, JSON.stringify(given))
          assert.isTrue((yield* call("credit", given)).isError, JSON.stringify(given))
        }
        assert.strictEqual(yield* wallets.balance("c"), "0")
      }).pipe(Effect.scoped)
    )

    it.effect("needs a key of its own, and finds nothing but the protocol on standard output", () =>
      Effect.gen(function* () {
        const wallets = yield* Wallets
        const absent = yield* runWallet(["mcp", "--url", wallets.url], { WALLET_API_KEY: adminKey })
        assert.deepStrictEqual([absent.code, absent.stdout], [1, ""])
        assert.include(absent.stderr, "WALLET_MCP_KEY is not set")
        const spoken = yield* Effect.callback<{ readonly code: number | null; readonly stdout: string }>((resume) => {
          const child = spawn(process.execPath, [executable, "mcp", "--url", "http://127.0.0.1:1"], {
            env: { ...compileCache, PATH: process.env.PATH, WALLET_MCP_KEY: "k", WALLET_LOG_LEVEL: "Debug" }
          })
          let stdout = ""
          child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
            stdout += chunk
            // All that was asked is answered.
            if (stdout.split("\n").length === 3) child.stdin.end()
          })
          child.once("close", (code) => resume(Effect.succeed({ code, stdout })))
          const clientInfo = { name: "agent", version: "1" }
          for (const message of [
            { id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo } },
            { method: "notifications/initialized" },
            { id: 2, method: "tools/call", params: { name: "get_wallet", arguments: { walletId: "a" } } }
          ]) {
            child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
          }
        })
        assert.strictEqual(spoken.code, 0)
        const answers = spoken.stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line))
        assert.deepStrictEqual(
          answers.map(({ id, jsonrpc }) => [jsonrpc, id]),
          [
            ["2.0", 1],
            ["2.0", 2]
          ]
        )
        assert.include(answers[1].result.content[0].text, "ServiceUnreachable")
      })
    )
  })

  describe("agents over HTTP", () => {
    it.effect("act each with the key of its own request, never with one of the server's", () =>
      Effect.gen(function* () {
        const wallets = yield* Wallets
        yield* create(wallets, "d")
        const url = yield* listening(wallets.url, "--allow-origin", "https://agent.example")
        const writer = yield* httpAgent(url, yield* keyOf(wallets, "wallets:write"))
        const reader = yield* httpAgent(url, yield* keyOf(wallets, "wallets:read"))
        const stranger = yield* httpAgent(url, "a-key-that-nobody-made")
        const credit = { walletId: "d", amount: "5" }
        const answers = yield* Effect.all(
          [
            writer.call("credit", { ...credit, idempotencyKey: "1" }),
            reader.call("credit", { ...credit, idempotencyKey: "2" }),
            stranger.call("credit", { ...credit, idempotencyKey: "3" })
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map(({ body }) => body.code),
          [undefined, "Forbidden", "Unauthorized"]
        )
        assert.strictEqual((yield* reader.call("get_wallet", { walletId: "d" })).body.balance, "5")
        const statusOf = (headers: Readonly<Record<string, string>>) =>
          Effect.promise(async () => {
            const accept = "application/json, text/event-stream"
            const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
            const all = { "content-type": "application/json", accept, ...headers }
            return (await fetch(url, { method: "POST", headers: all, body })).status
          })
        const authorization = `Bearer ${adminKey}`
        assert.deepStrictEqual(
          [
            yield* statusOf({}),
            yield* statusOf({ authorization: "Basic abc" }),
            yield* statusOf({ authorization, origin: "https://other.example" }),
            yield* statusOf({ authorization, origin: "null" })
          ],
          [401, 401, 403, 403]
        )
        assert.notStrictEqual(yield* statusOf({ authorization, origin: "https://agent.example" }), 403)
      }).pipe(Effect.scoped)
    )
  })
})
