/** One wallet in every store, as whoever is on call sees it. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import { TestServer } from "../http/TestServer.ts"
import { hasBrowser } from "../support/browser.ts"
import { barriers, overflow } from "./ConsoleBrowser.ts"
import { hostile, inPage, looks, seed, world } from "./ConsoleWorld.ts"

describe.skipIf(!hasBrowser("the stores of a wallet"))("the stores of a wallet", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("stand side by side; a row that was altered is marked, compared, and repaired", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { from } = yield* seed
        const state = yield* MemoryDatabase
        const right = state.wallets.get(from)
        if (right === undefined) throw new Error("there is no row")
        yield* inPage(
          async ({ page }) => {
            await page.getByRole("link", { name: "In every store" }).click()
            await page.getByRole("heading", { name: `Stores of ${from}` }).waitFor()
            await page.getByRole("heading", { name: "All agree" }).waitFor()
            assert.strictEqual(await page.locator(".differs").count(), 0)
            state.wallets.set(from, { ...right, wallet: { ...right.wallet, balance: 1n } })
            await page.getByRole("heading", { name: "They differ" }).waitFor()
            const balance = page.getByRole("row", { name: /^Balance/ })
            assert.strictEqual(await balance.locator(".differs").count(), 2)
            await balance.getByText("0.01").first().waitFor()
            assert.strictEqual(await page.getByRole("button", { name: "Repair from the log" }).count(), 0)
            await page.getByRole("button", { name: "Verify", exact: true }).click()
            await page.getByText(/events compared: [1-9]\d* differences/).waitFor()
            assert.strictEqual(state.wallets.get(from)?.wallet.balance, 1n)
            assert.deepStrictEqual(await barriers(page), [])
            await page.getByRole("button", { name: "Repair from the log" }).click()
            await page.getByText("repaired, and right now").waitFor()
            await page.getByRole("heading", { name: "All agree" }).waitFor()
          },
          { secret: secrets.admin, hash: `#/wallets/${from}` }
        )
        assert.strictEqual(state.wallets.get(from)?.wallet.balance, right.wallet.balance)
      })
    )

    it.effect("are shown to admins alone, and of none that there is not", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { from } = yield* seed
        yield* inPage(
          async ({ page, requests }) => {
            await page.getByText("lacks the scope admin").waitFor()
            assert.strictEqual(await page.getByRole("button", { name: "Verify", exact: true }).count(), 0)
            assert.isFalse(requests.some((request) => request.url().includes("/stores")))
          },
          { secret: secrets.read, hash: `#/wallets/${from}/stores` }
        )
        yield* inPage(
          async ({ page }) => {
            await page.getByText("WalletNotFound").waitFor()
          },
          { secret: secrets.admin, hash: "#/wallets/nobody/stores" }
        )
      })
    )

    it.effect("keep nobody out, and take no text for markup", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { to } = yield* seed
        for (const look of looks) {
          yield* inPage(
            async ({ page }) => {
              await page.getByRole("heading", { name: "All agree" }).waitFor()
              await page.getByText(`credits: ${hostile}`).first().waitFor()
              assert.deepStrictEqual(await barriers(page), [])
              assert.isAtMost(await overflow(page), 0)
            },
            { secret: secrets.admin, hash: `#/wallets/${to}/stores`, ...look }
          )
        }
      })
    )
  })
})
