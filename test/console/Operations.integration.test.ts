/** The pages for whoever runs the service. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestServer } from "../http/TestServer.ts"
import { hasBrowser } from "../support/browser.ts"
import { barriers, overflow } from "./ConsoleBrowser.ts"
import { inPage, looks, world } from "./ConsoleWorld.ts"

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
  })
})
