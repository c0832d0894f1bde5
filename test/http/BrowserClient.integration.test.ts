/** The typed client in a real browser, on a page of another origin: `effect-wallet/client` bundled as an app has it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { build } from "esbuild"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import { browser, hasBrowser } from "../support/browser.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server
const root = resolve(import.meta.dirname, "../..")

const app = `
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Problem, WalletClient } from "./src/client.ts"

const say = (id, text) => {
  const line = document.createElement("p")
  line.id = id
  line.textContent = text
  document.body.append(line)
}
const given = new URLSearchParams(location.hash.slice(1))
const key = (key) => ({ headers: { "idempotency-key": key }, query: {} })
const amount = 12345678901234567890n

const program = Effect.gen(function* () {
  const { feed, wallets } = yield* WalletClient
  yield* wallets.create({ ...key("w"), payload: { id: "w", ownerId: "ann", currency: "EUR" } })
  const { transaction } = yield* wallets.credit({ ...key("c"), params: { id: "w" }, payload: { amount } })
  const poor = yield* Effect.flip(
    wallets.debit({ ...key("d"), params: { id: "w" }, payload: { amount: amount + 1n } })
  )
  const events = yield* feed.follow({ headers: {}, query: { walletId: ["w"] } })
  const seen = yield* events.pipe(Stream.take(2), Stream.runCollect)
  const types = Array.from(seen, ({ event }) => event).join()
  return [transaction.balanceAfter === amount, poor instanceof Problem.InsufficientFunds, poor.shortage === 1n, types]
})

const layer = (apiKey) => WalletClient.layerFetch({ baseUrl: given.get("url"), apiKey: Redacted.make(apiKey) })
Effect.runPromise(Effect.provide(program, layer(given.get("key")))).then(
  (answers) => say("done", answers.join(" ")),
  (failure) => say("done", String(failure))
)
Effect.runPromise(
  Effect.provide(WalletClient.use(({ wallets }) => Effect.flip(wallets.get({ params: { id: "w" }, query: {} }))), layer("no key"))
).then(({ _tag }) => say("refused", _tag))
`

/** A page that loads the app, of an origin of its own. */
const page = Effect.acquireRelease(
  Effect.promise(async () => {
    const made = await build({
      stdin: { contents: app, resolveDir: root, loader: "js" },
      bundle: true,
      format: "esm",
      platform: "browser",
      write: false,
      logLevel: "silent"
    })
    const script = made.outputFiles[0]?.text ?? ""
    const server = createServer((request, response) => {
      const isScript = request.url === "/app.js"
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html")
      response.end(isScript ? script : `<!doctype html><body><script type="module" src="app.js"></script>`)
    })
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
)

/** What the app says on its page, served by a service that lets these origins in. */
const onPage = (corsOrigins: (origin: string) => ReadonlyArray<string>, ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { origin } = yield* page
    const opened = yield* browser
    return yield* Effect.gen(function* () {
      const { secrets, url } = yield* TestServer
      return yield* Effect.promise(async () => {
        const tab = await opened.newPage()
        await tab.goto(`${origin}/#${String(new URLSearchParams({ url, key: secrets.admin }))}`)
        return Promise.all(ids.map((id) => tab.locator(`#${id}`).textContent()))
      })
    }).pipe(Effect.provide(Server.layer({ corsOrigins: corsOrigins(origin) })))
  }).pipe(Effect.scoped)

describe.skipIf(!hasBrowser("the typed client"))("the client in a browser", () => {
  it.live("commands, typed problems and the feed, across origins that CORS_ORIGINS names", () =>
    Effect.gen(function* () {
      const [done, refused] = yield* onPage((origin) => [origin], ["done", "refused"])
      assert.strictEqual(done, "true true true WalletCreated,WalletCredited")
      assert.strictEqual(refused, "Unauthorized")
    })
  )

  it.live("is refused by the browser where CORS is off", () =>
    Effect.gen(function* () {
      const [done] = yield* onPage(() => [], ["done"])
      assert.match(done ?? "", /HttpClientError|Transport/)
    })
  )
})
