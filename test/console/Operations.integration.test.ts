/** The pages for whoever runs the service. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestServer } from "../http/TestServer.ts"
import { makeReceiver } from "../webhooks/Receiver.ts"
import { hasBrowser } from "../support/browser.ts"
import { barriers, overflow } from "./ConsoleBrowser.ts"
import { hostile, inPage, looks, world } from "./ConsoleWorld.ts"

describe.skipIf(!hasBrowser("the pages for operators"))("the pages for operators", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("show the actors as they work, by day, by night and on a small screen", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* TestServer
        const id = yield* wallet()
        const credits = (from: number) =>
          Effect.forEach(
            Array.from({ length: 30 }, (_, index) => from + index),
            (index) => call("POST", `/v1/wallets/${id}/credit`, { key: `k${index}`, body: { amount: "1" } }),
            { concurrency: 8, discard: true }
          )
        yield* credits(0)
        const context = yield* Effect.context<TestServer>()
        for (const [round, look] of looks.entries()) {
          const before = 31 + 30 * round
          yield* inPage(
            async ({ page }) => {
              await page.getByRole("link", { name: "Actors" }).click()
              const busiest = page.getByRole("table", { name: "Busiest wallets" }).getByRole("row")
              await busiest.filter({ hasText: id }).getByText(String(before), { exact: true }).waitFor()
              await Effect.runPromiseWith(context)(credits(before))
              await busiest
                .filter({ hasText: id })
                .getByText(String(before + 30), { exact: true })
                .waitFor()
              await page.getByRole("region", { name: "Nodes" }).getByText("answers here").waitFor()
              assert.deepStrictEqual(await barriers(page), [])
              assert.isAtMost(await overflow(page), 0)
              await busiest.getByRole("link", { name: id }).click()
              await page.getByRole("heading", { name: `Wallet ${id}` }).waitFor()
            },
            { secret: secrets.admin, ...look }
          )
        }
        yield* inPage(
          async ({ page }) => {
            await page.getByText("lacks the scope admin").waitFor()
            assert.strictEqual(await page.getByRole("link", { name: "Actors" }).count(), 0)
          },
          { secret: secrets.read, hash: "#/actors" }
        )
      })
    )

    it.effect("make, show and revoke keys, and tell what was done", () =>
      Effect.gen(function* () {
        const { call, secrets } = yield* TestServer
        const made = yield* inPage(
          async ({ page }) => {
            await page.getByRole("link", { name: "Keys" }).click()
            await page.getByLabel("Name").fill(hostile.slice(0, 64))
            await page.getByRole("checkbox", { name: /wallets:write/ }).check()
            await page.getByRole("button", { name: "Make a key" }).click()
            await page.getByText("Shown this once").waitFor()
            const secret = await page.locator(".notice code").innerText()
            const row = page.getByRole("table", { name: "Keys" }).getByRole("row").filter({ hasText: "<img src=x" })
            await row.getByText("wallets:read, wallets:write").waitFor()
            await page.getByRole("table", { name: "Audit" }).getByText("key.create").first().waitFor()
            assert.deepStrictEqual(await barriers(page), [])
            await page.getByRole("button", { name: "Put it away" }).click()
            await page.getByText(secret).waitFor({ state: "detached" })
            await row.getByRole("button", { name: "Revoke" }).click()
            await row.getByRole("button", { name: "Cancel" }).waitFor()
            await row.getByRole("group", { name: "Revoke" }).getByRole("button", { name: "Revoke" }).click()
            await row.waitFor({ state: "detached" })
            await page.getByLabel("Act", { exact: true }).fill("key.revoke")
            await page.getByRole("table", { name: "Audit" }).getByText("key.create").waitFor({ state: "detached" })
            await page.getByRole("table", { name: "Audit" }).getByText("key.revoke").first().waitFor()
            assert.strictEqual(await page.evaluate(() => String("__hurt" in window)), "false")
            return secret
          },
          { secret: secrets.admin }
        )
        assert.strictEqual((yield* call("GET", "/v1/keys/self", { secret: made })).status, 401)
      })
    )

    it.effect("show webhooks with their lag and what was delivered", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* TestServer
        const receiver = yield* makeReceiver()
        const { json } = yield* call("POST", "/v1/webhooks", { body: { url: receiver.url, description: hostile } })
        receiver.secrets = [json.secret]
        yield* wallet()
        yield* inPage(
          async ({ page }) => {
            await page.getByRole("link", { name: "Webhooks" }).click()
            const one = page.getByRole("region", { name: `Webhook ${json.id}` })
            await one.getByText(hostile, { exact: true }).waitFor()
            await one.getByText("acknowledged 2").first().waitFor()
            await one.getByText("WalletCreated, version 0").first().waitFor()
            await one.getByRole("button", { name: "Send a test" }).click()
            await one.getByText("The test was acknowledged").waitFor()
            await one.getByRole("button", { name: "Disable" }).click()
            await one.getByRole("group", { name: "Disable" }).getByRole("button", { name: "Disable" }).click()
            await one.getByRole("button", { name: "Enable" }).waitFor()
            assert.deepStrictEqual(await barriers(page), [])
            await one.getByRole("button", { name: "Enable" }).click()
            await one.getByRole("button", { name: "Disable" }).waitFor()
          },
          { secret: secrets.admin }
        )
      })
    )

    it.effect("keep nobody out, and are for admins alone", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
        const pages = ["Keys", "Webhooks"]
        for (const look of looks) {
          yield* inPage(
            async ({ page }) => {
              for (const name of pages) {
                await page.getByRole("link", { name, exact: true }).click()
                await page.getByRole("heading", { name, level: 1 }).waitFor()
                await page.getByText("Loading").first().waitFor({ state: "detached" })
                assert.deepStrictEqual(await barriers(page), [], name)
                assert.isAtMost(await overflow(page), 0, name)
              }
            },
            { secret: secrets.admin, ...look }
          )
        }
        yield* inPage(
          async ({ page }, url) => {
            for (const place of ["#/keys", "#/webhooks"]) {
              await page.goto(`${url}/console${place}`)
              await page.getByText("lacks the scope admin").waitFor()
              assert.strictEqual(await page.locator("main button").count(), 0)
            }
          },
          { secret: secrets.read, hash: "" }
        )
      })
    )

    it.effect("show the log as it grows, by wallet and by type, to whoever may read", () =>
      Effect.gen(function* () {
        const { call, secrets, wallet } = yield* TestServer
        const [id, other] = [yield* wallet(), yield* wallet()]
        const credit = (walletId: string, key: string) =>
          call("POST", `/v1/wallets/${walletId}/credit`, { key, body: { amount: "1", reference: hostile } })
        yield* credit(id, "a")
        yield* credit(other, "b")
        const context = yield* Effect.context<TestServer>()
        for (const [round, look] of looks.entries()) {
          yield* inPage(
            async ({ page }) => {
              await page.getByRole("link", { name: "Log", exact: true }).click()
              const rows = page.getByRole("table", { name: "Events" }).getByRole("row")
              await rows.nth(1).waitFor()
              await page.getByLabel("Wallet", { exact: true }).fill(id)
              await page.getByLabel("Type").selectOption("WalletCredited")
              await page.getByRole("button", { name: "Follow" }).click()
              await page.getByText(`${round + 1} so far`, { exact: true }).waitFor()
              await Effect.runPromiseWith(context)(credit(id, look.colorScheme))
              await page.getByText(`${round + 2} so far`, { exact: true }).waitFor()
              assert.strictEqual(await rows.filter({ hasText: "Credited" }).filter({ hasText: id }).count(), round + 2)
              assert.strictEqual(await page.evaluate(() => String("__hurt" in window)), "false")
              assert.deepStrictEqual(await barriers(page), [])
              assert.isAtMost(await overflow(page), 0)
              await page.getByLabel("Behind position").fill("999999")
              await page.getByRole("button", { name: "Follow" }).click()
              await page.getByText("PositionGone").waitFor()
            },
            { secret: secrets.read, ...look }
          )
        }
      })
    )
  })
})
