/** What is done in the console: tried first, once for ever, and by who may. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { TestServer } from "../http/TestServer.ts"
import { hasBrowser } from "../support/browser.ts"
import { barriers } from "./ConsoleBrowser.ts"
import { balanceOf, inPage, outage, seed, world } from "./ConsoleWorld.ts"

describe.skipIf(!hasBrowser("acts of the console"))("acts of the console", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("opens with a right key alone, keeps it in the tab, and forgets it when told", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        yield* inPage(async ({ page }, url) => {
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
        })
      })
    )

    it.effect("makes a first wallet and its first credit: tried first, under one key, and the same by curl", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const line = yield* inPage(
          async ({ page, requests }) => {
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
            return copied
          },
          { secret: secrets.admin, permissions: ["clipboard-read", "clipboard-write"] }
        )
        assert.strictEqual(yield* balanceOf("first-wallet"), "1250")
        assert.notInclude(line, secrets.admin)
        // The very same command: had it another key or body, it would be another credit, or be refused.
        const env = { PATH: process.env["PATH"], WALLET_API_KEY: secrets.admin }
        // Not by the call that waits: the service that it asks is in this very process.
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)("sh", ["-c", line], { env, timeout: 60_000 })
        )
        const again: unknown = JSON.parse(stdout)
        assert.deepInclude(again, { durability: { committed: true, persisted: true, indexed: true } })
        assert.strictEqual(yield* balanceOf("first-wallet"), "1250")
      })
    )

    it.effect("asks again with the same key when the answer is lost, also after a reload", () =>
      Effect.gen(function* () {
        const { secrets, wallet } = yield* TestServer
        const id = yield* wallet()
        yield* inPage(
          async ({ page, requests }) => {
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
            await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).click()
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
          },
          { secret: secrets.admin, hash: `#/wallets/${id}` }
        )
        assert.strictEqual(yield* balanceOf(id), "300")
      })
    )

    it.effect("lets a key that may only read look, and says why it may not act", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { from, transferId } = yield* seed
        yield* inPage(
          async ({ page, requests }, url) => {
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
          },
          { secret: secrets.read, hash: `#/wallets/${from}` }
        )
      })
    )

    it.effect("captures, refunds, transfers and freezes, each tried before", () =>
      Effect.gen(function* () {
        const { call, secrets } = yield* TestServer
        const { from, holdId } = yield* seed
        const third = yield* (yield* TestServer).wallet()
        yield* inPage(
          async ({ page }) => {
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
          },
          { secret: secrets.admin, hash: `#/wallets/${from}` }
        )
        const { json: hold } = yield* call("GET", `/v1/wallets/${from}/holds/${holdId}`)
        assert.strictEqual(hold.captured, "1500")
        assert.strictEqual(yield* balanceOf(third), "100")
      })
    )

    it.effect("says what to do while a store is away, and goes on by itself", () =>
      Effect.gen(function* () {
        const { call, secrets } = yield* TestServer
        yield* call("POST", "/v1/wallets", { key: "away", body: { id: "away", ownerId: "o", currency: "EUR" } })
        yield* inPage(
          async ({ page }) => {
            await page.getByRole("heading", { name: "Wallet away" }).waitFor()
            await page.getByRole("button", { name: "Credit", exact: true }).click()
            await page.getByLabel(/^Amount/).fill("1")
            await page.getByRole("button", { name: "Preview" }).click()
            await page.getByRole("button", { name: "Credit 1.00 EUR" }).waitFor()
            outage.isDown = true
            await page.getByRole("button", { name: "Credit 1.00 EUR" }).click()
            await page.getByRole("dialog").getByText("StoreUnavailable").waitFor()
            // Nothing has happened: there is nothing to settle.
            await page.getByRole("button", { name: "Cancel" }).click()
            assert.strictEqual(await page.getByText("may or may not").count(), 0)
            await page.reload()
            await page.getByText("A store is away").first().waitFor()
            assert.deepStrictEqual(await barriers(page), [])
            outage.isDown = false
            await page.getByRole("button", { name: "Credit", exact: true }).waitFor()
          },
          { secret: secrets.admin, hash: "#/wallets/away" }
        )
        assert.strictEqual(yield* balanceOf("away"), "0")
      })
    )
  })
})
