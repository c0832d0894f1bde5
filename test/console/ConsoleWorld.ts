/** A service with some wallets in it, and a browser to look at it with. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Browser, BrowserContextOptions } from "playwright-core"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { defaultWebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import * as Server from "../http/TestServer.ts"
import { browser } from "../support/browser.ts"
import { newState, storesOver } from "../support/LogLife.ts"
import { openPage, settle, type Watched } from "./ConsoleBrowser.ts"

const { TestServer } = Server

class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {
  static readonly layer = Layer.effect(Chromium, browser)
}

/** Refuses every receipt of 13. */
const rule = ({ events }: Commit) =>
  events.some(({ event }) => event._tag === "TransferReceived" && event.amount === 13n) ? "unlucky" : undefined

const down = new StoreUnavailable({ store: "log", reason: "scripted", retryAfter: 1_000 })

/** Whether the log is away, for wallets called `away`. */
export const outage = { isDown: false }

const guarded = <A, E>(walletId: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
  Effect.andThen(
    Effect.suspend(() => (outage.isDown && walletId === "away" ? Effect.fail(down) : Effect.void)),
    effect
  )

const engine = Layer.effect(
  WalletEngine,
  Effect.map(WalletEngine, (inner) => ({
    ...inner,
    getWallet: ((read) => guarded(read.walletId, inner.getWallet(read))) as typeof inner.getWallet,
    credit: ((input) => guarded(input.walletId, inner.credit(input))) as typeof inner.credit
  }))
).pipe(
  Layer.provide(Layer.orDie(WalletEngine.layer({ bounds: defaultBounds, partitions: 16 }))),
  Layer.provideMerge(Layer.unwrap(Effect.map(newState({ rule }), storesOver)))
)

/** To receivers on this machine, and soon. */
const webhooks = { allowPrivate: true, bounds: { ...defaultWebhookBounds, saveMillis: 20, lookMillis: 50 } }

export const world = Layer.mergeAll(Server.layerWith(engine, {}, undefined, webhooks), Chromium.layer, engine)

/** A page of the browser's, closed in the end; what it must never do it has not done. */
export const inPage = Effect.fnUntraced(function* <A>(
  use: (watched: Watched, url: string) => Promise<A>,
  options: BrowserContextOptions & { readonly secret?: string; readonly hash?: string } = {}
) {
  const chromium = yield* Chromium
  const { secrets, url } = yield* TestServer
  const { hash = "", secret, ...context } = options
  return yield* Effect.acquireUseRelease(
    Effect.promise(() => openPage(chromium, context)),
    (watched) =>
      Effect.promise(() =>
        settle(watched, url, Object.values(secrets), async () => {
          if (secret !== undefined) {
            await watched.page.addInitScript(
              (key) => window.sessionStorage.setItem("effect-wallet.console.key", key),
              secret
            )
            await watched.page.goto(`${url}/console${hash}`)
          }
          return use(watched, url)
        })
      ),
    ({ page }) => Effect.promise(() => page.context().close())
  )
})

/** What would be markup, a script or a template, were it not taken for text. */
export const hostile = `"><img src=x onerror="window.__hurt=1"><script>window.__hurt=1</script>{{7*7}}'`

/** By day on a desk, by night on a phone. */
export const looks = [
  { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { colorScheme: "dark", viewport: { width: 360, height: 740 } }
] as const

/** Some wallets with a past. */
export const seed = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const from = yield* wallet({ ownerId: "ann", metadata: { plan: "gold", [hostile.slice(0, 60)]: hostile } })
  const to = yield* wallet({ ownerId: "ben" })
  const post = (path: string, key: string, body: object) => call("POST", `/v1/${path}`, { key, body })
  yield* post(`wallets/${from}/credit`, "first", { amount: "1000000", reference: hostile })
  yield* post(`wallets/${from}/debit`, "second", {
    amount: "2550",
    reference: "=1+1",
    metadata: { [hostile.slice(0, 60)]: hostile }
  })
  const { json: hold } = yield* post(`wallets/${from}/holds`, "third", { amount: "4000", reference: hostile })
  const { json: sent } = yield* post("transfers", "fourth", { from, to, amount: "1200", reference: hostile })
  yield* post("transfers", "fifth", { from, to, amount: "13" })
  const { json: reversed } = yield* call("GET", `/v1/transfers?walletId=${from}&status=reversed`)
  yield* post(`wallets/${to}/freeze`, "sixth", { reason: hostile, direction: "credits" })
  return {
    from,
    to,
    holdId: String(hold.hold.id),
    transferId: String(sent.transfer.id),
    reversedId: String(reversed.data[0].id)
  }
})

export const balanceOf = Effect.fnUntraced(function* (id: string) {
  const { call } = yield* TestServer
  return String((yield* call("GET", `/v1/wallets/${id}`)).json.balance)
})
