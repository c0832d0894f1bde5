/** The console as people use it, in a real browser over a real server; and as somebody attacks it. */
import { assert, describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import type { Browser } from "playwright-core"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import * as Server from "../http/TestServer.ts"
import { browser, hasBrowser } from "../support/browser.ts"
import { assertClean, barriers, openConsole, openPage, overflow } from "./ConsoleBrowser.ts"

const { TestServer } = Server

class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {
  static readonly layer = Layer.effect(Chromium, browser)
}

/** Refuses every receipt of 13. */
const rule = ({ events }: Commit) =>
  events.some(({ event }) => event._tag === "TransferReceived" && event.amount === 13n) ? "unlucky" : undefined

const down = new StoreUnavailable({ store: "log", reason: "scripted", retryAfter: 1_000 })

/** Whether the log is away, for wallets called `away`. */
let isDown = false

const guarded = <A, E>(walletId: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
  Effect.andThen(
    Effect.suspend(() => (isDown && walletId === "away" ? Effect.fail(down) : Effect.void)),
    effect
  )

const engine = Layer.fresh(
  Layer.effect(
    WalletEngine,
    Effect.map(WalletEngine, (inner) => ({
      ...inner,
      getWallet: ((read) => guarded(read.walletId, inner.getWallet(read))) as typeof inner.getWallet,
      credit: ((input) => guarded(input.walletId, inner.credit(input))) as typeof inner.credit
    }))
  ).pipe(
    Layer.provide(
      Layer.orDie(
        WalletEngine.layer({ bounds: defaultBounds, partitions: 16 }).pipe(Layer.provide(MemoryStores.layer({ rule })))
      )
    )
  )
)

const world = Layer.merge(Server.layerWith(engine), Chromium.layer)

const hostile = `"><img src=x onerror="window.__hurt=1"><script>window.__hurt=1</script>{{7*7}}'`

/** Some wallets with a past. */
const seed = Effect.gen(function* () {
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

const balanceOf = Effect.fnUntraced(function* (id: string) {
  const { call } = yield* TestServer
  return String((yield* call("GET", `/v1/wallets/${id}`)).json.balance)
})

describe.skipIf(!hasBrowser("/console"))("the console", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("opens with a right key alone, keeps it in the tab, and forgets it when told", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        yield* Effect.promise(async () => {
          const watched = await openPage(chromium)
          const { page } = watched
          await page.goto(`${url}/console`)
          await page.getByLabel("API key").fill("two words")
          await page.keyboard.press("Enter")
          await page.getByText("one word of visible ASCII").waitFor()
          await page.getByLabel("API key").fill("wrong-key")
          await page.keyboard.press("Enter")
          await page.getByText("Unauthorized").waitFor()
          assert.deepStrictEqual(await barriers(page), [])
          assert.isNull(await page.evaluate(() => window.sessionStorage.getItem("effect-wallet.console.key")))
          await page.getByLabel("API key").fill(secrets.admin)
          await page.keyboard.press("Enter")
          await page.getByRole("heading", { name: "Find" }).waitFor()
          const elsewhere = await page.evaluate(() =>
            JSON.stringify([{ ...localStorage }, document.cookie, location.href])
          )
          assert.notInclude(elsewhere, secrets.admin)
          await page.reload()
          await page.getByRole("heading", { name: "Find" }).waitFor()
          await page.getByRole("button", { name: "Sign out" }).click()
          await page.getByLabel("API key").waitFor()
          assert.isNull(await page.evaluate(() => window.sessionStorage.getItem("effect-wallet.console.key")))
          assertClean(watched, url, secrets.admin)
        })
      })
    )

    it.effect("makes a first wallet and its first credit: tried first, under one key, and the same by curl", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const line = yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, "", {
            permissions: ["clipboard-read", "clipboard-write"]
          })
          const { page, requests } = watched
          await page.getByRole("button", { name: "New wallet" }).click()
          await page.getByLabel("Owner").fill("zoe")
          await page.getByLabel("Currency").fill("eur")
          await page.getByLabel(/^Id/).fill("first-wallet")
          await page.getByRole("button", { name: "Preview" }).click()
          await page.getByText("Tried, not done").waitFor()
          await page.getByRole("button", { name: "Create", exact: true }).click()
          await page.getByRole("heading", { name: "Wallet first-wallet" }).waitFor()
          await page.getByRole("button", { name: "Credit", exact: true }).click()
          await page.getByLabel(/^Amount/).fill("12.345")
          await page.getByRole("button", { name: "Preview" }).click()
          await page.getByText("EUR has 2 decimals").first().waitFor()
          await page.getByLabel(/^Amount/).fill("12.5")
          await page.getByText("exactly 1250 minor units").waitFor()
          await page.getByLabel(/^Reference/).fill("it's $HOME `id`")
          await page.getByLabel(/^Metadata/).fill("plan=gold\nnote=a=b")
          await page.getByRole("button", { name: "Preview" }).click()
          await page.getByRole("button", { name: "Credit 12.50 EUR" }).waitFor()
          assert.deepStrictEqual(await barriers(page), [])
          await page.getByRole("button", { name: "Copy as curl" }).last().click()
          await page.getByText("Copied").waitFor()
          const copied = await page.evaluate(() => navigator.clipboard.readText())
          await page.getByRole("button", { name: "Credit 12.50 EUR" }).click()
          await page.getByRole("heading", { name: "Done" }).waitFor()
          const sent = requests.filter((request) => request.url().includes("/credit"))
          assert.deepStrictEqual(
            sent.map((request) => new URL(request.url()).searchParams.get("dryRun")),
            ["true", null]
          )
          assert.strictEqual(new Set(sent.map((request) => request.headers()["idempotency-key"])).size, 1)
          assert.deepStrictEqual(JSON.parse(sent[1]?.postData() ?? ""), {
            amount: "1250",
            reference: "it's $HOME `id`",
            metadata: { plan: "gold", note: "a=b" }
          })
          assertClean(watched, url, secrets.admin)
          return copied
        })
        assert.strictEqual(yield* balanceOf("first-wallet"), "1250")
        assert.notInclude(line, secrets.admin)
        // The very same command: had it another key or body, it would be another credit, or be refused.
        const env = { PATH: process.env["PATH"], WALLET_API_KEY: secrets.admin }
        const again: unknown = JSON.parse(execFileSync("sh", ["-c", line], { encoding: "utf8", env }))
        assert.deepInclude(again, { durability: { committed: true, persisted: true, indexed: true } })
        assert.strictEqual(yield* balanceOf("first-wallet"), "1250")
      })
    )

    it.effect("asks again with the same key when the answer is lost, also after a reload", () =>
      Effect.gen(function* () {
        const { secrets, url, wallet } = yield* TestServer
        const chromium = yield* Chromium
        const id = yield* wallet()
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.write, `#/wallets/${id}`)
          const { page, requests } = watched
          const credit = async (amount: string) => {
            await page.getByRole("button", { name: "Credit", exact: true }).click()
            await page.getByLabel(/^Amount/).fill(amount)
            await page.getByRole("button", { name: "Preview" }).click()
            await page.getByRole("button", { name: /^Credit \d/ }).click()
          }
          const isReal = (address: URL) => address.pathname.endsWith("/credit") && !address.search.includes("dryRun")
          // The service does it; nobody hears of it.
          await page.route(isReal, async (route) => {
            await route.fetch()
            await route.abort()
          })
          await page.getByRole("heading", { name: `Wallet ${id}` }).waitFor()
          await credit("1")
          await page.getByText("It is not known whether this has happened").waitFor()
          assert.isTrue(await page.getByLabel(/^Amount/).isDisabled())
          await page.unroute(isReal)
          await page.getByRole("button", { name: "Ask again with the same key" }).click()
          await page.getByText("Done before").waitFor()
          await page.getByRole("button", { name: "Close", exact: true }).last().click()
          // This one never arrives, and the page is loaded anew before anybody asks.
          await page.route(isReal, (route) => route.abort())
          await credit("2")
          await page.getByText("It is not known whether this has happened").waitFor()
          await page.unroute(isReal)
          await page.reload()
          await page.getByText("One command may or may not have happened.").waitFor()
          assert.deepStrictEqual(await barriers(page), [])
          await page.getByRole("button", { name: "Ask again" }).click()
          await page.getByText("It has happened, once.").waitFor()
          assert.strictEqual(await page.getByText("may or may not").count(), 0)
          const keys = requests
            .filter((request) => isReal(new URL(request.url())))
            .map((one) => one.headers()["idempotency-key"])
          assert.deepStrictEqual(
            [keys[0] === keys[1], keys[2] === keys[3], new Set(keys).size, keys.length],
            [true, true, 2, 4]
          )
          assertClean(watched, url, secrets.write)
        })
        assert.strictEqual(yield* balanceOf(id), "300")
      })
    )

    it.effect("lets a key that may only read look, and says why it may not act", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, transferId } = yield* seed
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.read, `#/wallets/${from}`)
          const { page, requests } = watched
          await page.getByText("this key lacks the scope wallets:write").waitFor()
          for (const name of ["Credit", "Debit", "Hold", "Transfer", "Freeze", "Close"]) {
            assert.isTrue(await page.getByRole("button", { name, exact: true }).isDisabled(), name)
          }
          await page.getByRole("table", { name: "Transactions" }).getByText("debit").first().waitFor()
          assert.strictEqual(await page.getByRole("button", { name: /^(?:Refund|Capture|Release)$/ }).count(), 0)
          await page.goto(`${url}/console#/transfers/${transferId}`)
          await page.getByRole("heading", { name: `Transfer ${transferId}` }).waitFor()
          assert.isTrue(await page.getByRole("button", { name: "Refund" }).isDisabled())
          await page.goto(`${url}/console#/`)
          assert.isTrue(await page.getByRole("button", { name: "New wallet" }).isDisabled())
          await page.goto(`${url}/console#/health`)
          await page.getByText("All is well").waitFor()
          // What it asks to learn what the key may is tried only.
          const posts = requests.filter((request) => request.method() !== "GET").map((one) => new URL(one.url()))
          assert.isTrue(posts.every(({ pathname, search }) => pathname === "/v1/batch" && search === "?dryRun=true"))
          assertClean(watched, url, secrets.read)
        })
      })
    )

    it.effect("leads through a wallet's past by slider, by list and by time", () =>
      Effect.gen(function* () {
        const { call, secrets, url, wallet } = yield* TestServer
        const chromium = yield* Chromium
        const id = yield* wallet()
        for (let version = 1; version <= 30; version++) {
          yield* call("POST", `/v1/wallets/${id}/credit`, { key: `k${version}`, body: { amount: "100" } })
        }
        const { json: then } = yield* call("GET", `/v1/wallets/${id}?atVersion=9`)
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, `#/wallets/${id}`)
          const { page } = watched
          const figures = page.getByRole("region", { name: "Balance" })
          await figures.getByText("30.00").first().waitFor()
          await page.locator(".chart canvas").waitFor()
          const slider = page.getByRole("slider", { name: /Version/ })
          await slider.focus()
          for (let presses = 0; presses < 20; presses++) await page.keyboard.press("ArrowLeft")
          await page.getByText("As of version 10").waitFor()
          await figures.getByText("10.00").first().waitFor()
          assert.isTrue(await page.getByRole("button", { name: "Debit", exact: true }).isDisabled())
          await page.getByRole("button", { name: "Version 12" }).click()
          await figures.getByText("12.00").first().waitFor()
          await page.getByText("Credited, version 12").click()
          await page.getByText('"balanceAfter": "1200"').waitFor()
          await page.getByLabel("As of").fill("never")
          await page.getByRole("button", { name: "Go" }).click()
          await page.getByText("a time like 2026").waitFor()
          await page.getByLabel("As of").fill(then.updatedAt)
          await page.getByRole("button", { name: "Go" }).click()
          await page.getByText(/As of version (?:9|1\d)\b/).waitFor()
          await page.getByRole("button", { name: "Back to now" }).click()
          await figures.getByText("30.00").first().waitFor()
          assertClean(watched, url, secrets.admin)
        })
      })
    )

    it.effect("captures, refunds, transfers and freezes, each tried before", () =>
      Effect.gen(function* () {
        const { call, secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, holdId } = yield* seed
        const third = yield* (yield* TestServer).wallet()
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, `#/wallets/${from}`)
          const { page } = watched
          const act = async (verb: RegExp) => {
            await page.getByRole("button", { name: "Preview" }).click()
            await page.getByText("Tried, not done").waitFor()
            await page.getByRole("dialog").getByRole("button", { name: verb }).click()
            await page.getByRole("heading", { name: "Done" }).waitFor()
            await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).click()
          }
          await page.getByRole("button", { name: "Capture" }).click()
          await page.getByLabel(/^Amount/).fill("15")
          await act(/^Capture 15.00 EUR/)
          await page
            .getByRole("table", { name: "Transactions" })
            .getByRole("button", { name: "Refund" })
            .first()
            .click()
          await act(/^Refund/)
          await page.getByRole("button", { name: "Transfer", exact: true }).click()
          await page.getByLabel(/^To wallet/).fill("nobody")
          await page.getByLabel(/^Amount/).fill("1")
          await page.getByRole("button", { name: "Preview" }).click()
          await page.getByText("WalletNotFound").waitFor()
          await page.getByLabel(/^To wallet/).fill(third)
          await act(/^Transfer 1.00 EUR/)
          await page.getByRole("button", { name: "Freeze", exact: true }).click()
          await page.getByLabel(/^Reason/).fill("a look")
          await act(/^Freeze/)
          await page.getByText("Frozen for debits until it is unfrozen: a look").waitFor()
          await page.getByRole("button", { name: "Unfreeze", exact: true }).waitFor()
          assertClean(watched, url, secrets.admin)
        })
        const { json: hold } = yield* call("GET", `/v1/wallets/${from}/holds/${holdId}`)
        assert.strictEqual(hold.captured, "1500")
        assert.strictEqual(yield* balanceOf(third), "100")
      })
    )

    it.effect("shows a transfer's steps, and of one that was reversed why", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, reversedId, to, transferId } = yield* seed
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, `#/transfers/${transferId}`)
          const { page } = watched
          const steps = page.getByRole("region", { name: "Steps" }).getByRole("listitem")
          await steps.filter({ hasText: "Transfer settled" }).waitFor()
          assert.deepStrictEqual(
            (await steps.locator("strong").allTextContents()).map((text) => text.trim()),
            ["Transfer sent", "Transfer received", "Transfer settled"]
          )
          await page
            .getByRole("region", { name: "From and to" })
            .or(page.getByRole("region", { name: "Legs" }))
            .getByText("12.00")
            .waitFor()
          await page.goto(`${url}/console#/transfers/${reversedId}`)
          await page.getByText("Reversed.").waitFor()
          await page.getByText("unlucky").first().waitFor()
          await steps.filter({ hasText: "Transfer reversed" }).waitFor()
          await page.getByRole("link", { name: to }).first().click()
          await page.getByRole("heading", { name: `Wallet ${to}` }).waitFor()
          assert.include(page.url(), to)
          assert.notStrictEqual(from, to)
          assertClean(watched, url, secrets.admin)
        })
      })
    )

    it.effect("says what to do while a store is away, and goes on by itself", () =>
      Effect.gen(function* () {
        const { call, secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        yield* call("POST", "/v1/wallets", { key: "away", body: { id: "away", ownerId: "o", currency: "EUR" } })
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, "#/wallets/away")
          const { page } = watched
          await page.getByRole("heading", { name: "Wallet away" }).waitFor()
          await page.getByRole("button", { name: "Credit", exact: true }).click()
          await page.getByLabel(/^Amount/).fill("1")
          await page.getByRole("button", { name: "Preview" }).click()
          await page.getByRole("button", { name: "Credit 1.00 EUR" }).waitFor()
          isDown = true
          await page.getByRole("button", { name: "Credit 1.00 EUR" }).click()
          await page.getByRole("dialog").getByText("StoreUnavailable").waitFor()
          // Nothing has happened: there is nothing to settle.
          await page.getByRole("button", { name: "Cancel" }).click()
          assert.strictEqual(await page.getByText("may or may not").count(), 0)
          await page.reload()
          await page.getByText("A store is away").first().waitFor()
          assert.deepStrictEqual(await barriers(page), [])
          isDown = false
          await page.getByRole("button", { name: "Credit", exact: true }).waitFor()
          assertClean(watched, url, secrets.admin)
        })
        assert.strictEqual(yield* balanceOf("away"), "0")
      })
    )

    it.effect(
      "scrolls through thousands of wallets to the last, with few of them in the page, and saves them all",
      () =>
        Effect.gen(function* () {
          const { call, secrets, url } = yield* TestServer
          const chromium = yield* Chromium
          const many = 2_200
          yield* Effect.forEach(
            Array.from({ length: many }, (_, index) => index),
            (index) =>
              call("POST", "/v1/wallets", {
                key: `m${index}`,
                body: { id: `many-${index}`, ownerId: "many", currency: "EUR" }
              }),
            { concurrency: 64, discard: true }
          )
          yield* Effect.promise(async () => {
            const watched = await openConsole(chromium, url, secrets.read, "")
            const { page } = watched
            await page.getByRole("searchbox", { name: "Find" }).fill("owner:many")
            await page.keyboard.press("Enter")
            await page.getByText("owner: many").waitFor()
            await page.getByText("200 so far").waitFor()
            const scroller = page.locator(".scroller")
            const toEnd = () => scroller.evaluate((element) => void (element.scrollTop = element.scrollHeight))
            await page.waitForFunction(() => {
              const element = document.querySelector(".scroller")
              if (element !== null) element.scrollTop = element.scrollHeight
              return document.body.innerText.includes("2,200 in all")
            })
            await toEnd()
            await page.getByRole("link", { name: "many-0", exact: true }).waitFor()
            assert.isBelow(await page.getByRole("row").count(), 100)
            const download = page.waitForEvent("download")
            await page.getByRole("button", { name: "CSV" }).click()
            const lines = readFileSync(await (await download).path(), "utf8")
              .trim()
              .split("\r\n")
            assert.strictEqual(lines.length, many + 1)
            assert.match(lines[0] ?? "", /^\uFEFF?id,ownerId,currency,balance/)
            await page.getByRole("button", { name: "Remove the filter owner: many" }).click()
            await page.getByText("owner: many").waitFor({ state: "detached" })
            assertClean(watched, url, secrets.read)
          })
        })
    )

    it.effect("finds by id, owner, words, reference and metadata", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, transferId } = yield* seed
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.read, "")
          const { page } = watched
          const box = page.getByRole("searchbox", { name: "Find" })
          const find = async (text: string) => {
            await page.goto(`${url}/console#/`)
            await box.fill(text)
            await page.keyboard.press("Enter")
          }
          await find(transferId)
          await page.getByRole("region", { name: "With this id" }).getByRole("link", { name: transferId }).waitFor()
          await find("meta.plan:gold owner:ann")
          await page.getByRole("table", { name: "Wallets" }).getByRole("link", { name: from }).waitFor()
          await find(`wallet:${from} ref:"=1+1"`)
          await page.getByText("not of wallets").first().waitFor()
          await page.getByRole("button", { name: "Transactions" }).click()
          await page.getByRole("table", { name: "Transactions" }).getByText("debit").waitFor()
          const download = page.waitForEvent("download")
          await page.getByRole("button", { name: "CSV" }).click()
          assert.include(readFileSync(await (await download).path(), "utf8"), ",'=1+1,")
          await find("owner:not/an/id")
          await page.getByRole("alert").getByText("ownerId").waitFor()
          await find("owner:nobody")
          await page.getByText("No wallets match").waitFor()
          assertClean(watched, url, secrets.read)
        })
      })
    )

    it.effect("takes no text for markup, wherever it stands", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, reversedId, to, transferId } = yield* seed
        const evil = encodeURIComponent(hostile)
        const places = [
          `#/wallets/${from}?v=2`,
          `#/wallets/${to}`,
          `#/transfers/${transferId}`,
          `#/transfers/${reversedId}`,
          "#/?kind=transactions&ownerId=ann",
          "#/?kind=holds&ownerId=ann",
          `#/?q=${evil}&kind=${evil}&metadata%5B${evil}%5D=${evil}`,
          `#/wallets/${evil}`,
          `#/wallets/${from}?v=${evil}`,
          `#/transfers/${evil}`,
          "#/wallets/javascript:window.__hurt=1",
          "#javascript:window.__hurt=1",
          `#/${evil}`,
          "#/%E0%A4%A"
        ]
        yield* Effect.promise(async () => {
          const watched = await openConsole(chromium, url, secrets.admin, "")
          const { page } = watched
          for (const place of places) {
            await page.goto(`${url}/console${place}`)
            await page.reload()
            await page.locator("h1").first().waitFor()
            await page.waitForLoadState("networkidle")
            assert.strictEqual(await page.evaluate(() => String("__hurt" in window)), "false", place)
            assert.strictEqual(await page.locator("img, iframe, object, script:not([src])").count(), 0, place)
            const links = await page
              .locator("a")
              .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).protocol))
            assert.isTrue(
              links.every((protocol) => protocol === "http:"),
              place
            )
          }
          // It is there, as the text that it is.
          await page.goto(`${url}/console#/wallets/${from}`)
          await page.getByText(hostile, { exact: true }).first().waitFor()
          assertClean(watched, url, secrets.admin)
        })
      })
    )

    it.effect("keeps nobody out, by day, by night and on a small screen", () =>
      Effect.gen(function* () {
        const { secrets, url } = yield* TestServer
        const chromium = yield* Chromium
        const { from, reversedId, transferId } = yield* seed
        const pages: ReadonlyArray<readonly [string, string]> = [
          ["#/?kind=transactions&ownerId=ann&q=nope*", "Find"],
          ["#/?kind=wallets&ownerId=ann", "Find"],
          [`#/wallets/${from}?v=1`, `Wallet ${from}`],
          [`#/transfers/${transferId}`, `Transfer ${transferId}`],
          [`#/transfers/${reversedId}`, `Transfer ${reversedId}`],
          ["#/health", "Health"],
          ["#/wallets/nobody", "Wallet nobody"],
          ["#/nowhere", "Nothing here"]
        ]
        const looks = [
          { colorScheme: "light", viewport: { width: 1280, height: 900 } },
          { colorScheme: "dark", viewport: { width: 360, height: 740 } }
        ] as const
        yield* Effect.promise(async () => {
          for (const look of looks) {
            const watched = await openConsole(chromium, url, secrets.admin, "", look)
            const { page } = watched
            for (const [place, heading] of pages) {
              await page.goto(`${url}/console${place}`)
              await page.getByRole("heading", { name: heading, level: 1 }).waitFor()
              await page.waitForLoadState("networkidle")
              assert.deepStrictEqual(await barriers(page), [], `${place}, ${look.colorScheme}`)
              assert.isAtMost(await overflow(page), 0, `${place} at ${look.viewport.width}`)
            }
            assertClean(watched, url, secrets.admin)
          }
        })
      })
    )
  })
})
