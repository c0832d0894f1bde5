/** What the console shows, and how one gets there. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { TestServer } from "../http/TestServer.ts"
import { hasBrowser } from "../support/browser.ts"
import { inPage, seed, world } from "./ConsoleWorld.ts"

/** Wallets in the service, … */
const all = 100_000
/** … and of one owner. */
const many = 2_200

describe.skipIf(!hasBrowser("pages of the console"))("pages of the console", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("leads through a wallet's past by slider, by list and by time", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* TestServer
        const id = yield* wallet()
        for (let version = 1; version <= 30; version++) {
          yield* call("POST", `/v1/wallets/${id}/credit`, { key: `k${version}`, body: { amount: "100" } })
        }
        const { json: then } = yield* call("GET", `/v1/wallets/${id}?atVersion=9`)
        yield* inPage(
          async ({ page }) => {
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
          },
          { secret: secrets.admin, hash: `#/wallets/${id}` }
        )
      })
    )

    it.effect("shows a transfer's steps, and of one that was reversed why", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { from, reversedId, to, transferId } = yield* seed
        yield* inPage(
          async ({ page }, url) => {
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
          },
          { secret: secrets.admin, hash: `#/transfers/${transferId}` }
        )
      })
    )

    it.effect(
      "scrolls through a hundred thousand wallets, and an owner's to the last, with few of them in the page, and saves them all",
      () =>
        Effect.gen(function* () {
          const { secrets } = yield* TestServer
          const engine = yield* WalletEngine
          yield* Effect.forEach(
            Array.from({ length: all }, (_, index) => index),
            (index) =>
              engine.createWallet({
                id: `many-${index}`,
                ownerId: index < many ? "many" : "others",
                currency: "EUR",
                idempotencyKey: `m${index}`
              }),
            { concurrency: 256, discard: true }
          )
          yield* inPage(
            async ({ page }) => {
              const toEnd = () =>
                page.locator(".scroller").evaluate((element) => void (element.scrollTop = element.scrollHeight))
              const scrollUntil = (text: string) =>
                page.waitForFunction((wanted) => {
                  const element = document.querySelector(".scroller")
                  if (element !== null) element.scrollTop = element.scrollHeight
                  return document.body.innerText.includes(wanted)
                }, text)
              await scrollUntil("3,000 so far")
              assert.isBelow(await page.getByRole("row").count(), 100)
              await page.getByRole("searchbox", { name: "Find" }).fill("owner:many")
              await page.keyboard.press("Enter")
              await page.getByText("owner: many").waitFor()
              await page.getByText("200 so far").waitFor()
              await scrollUntil("2,200 in all")
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
            },
            { secret: secrets.read }
          )
        })
    )

    it.effect("finds by id, owner, words, reference and metadata", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const { from, transferId } = yield* seed
        yield* inPage(
          async ({ page }, url) => {
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
          },
          { secret: secrets.read }
        )
      })
    )
  })
})
