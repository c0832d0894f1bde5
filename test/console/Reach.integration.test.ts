/** The console as somebody attacks it, and as somebody reads it who sees little, or by a small screen. */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestServer } from "../http/TestServer.ts"
import { hasBrowser } from "../support/browser.ts"
import { barriers, overflow } from "./ConsoleBrowser.ts"
import { hostile, inPage, looks, seed, world } from "./ConsoleWorld.ts"

describe.skipIf(!hasBrowser("the reach of the console"))("the reach of the console", () => {
  layer(world, { excludeTestServices: true })((it) => {
    it.effect("takes no text for markup, wherever it stands", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
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
        yield* inPage(
          async ({ page }, url) => {
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
          },
          { secret: secrets.admin }
        )
      })
    )

    it.effect("keeps nobody out, by day, by night and on a small screen", () =>
      Effect.gen(function* () {
        const { secrets } = yield* TestServer
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
        for (const look of looks) {
          yield* inPage(
            async ({ page }, url) => {
              for (const [place, heading] of pages) {
                await page.goto(`${url}/console${place}`)
                await page.getByRole("heading", { name: heading, level: 1 }).waitFor()
                await page.waitForLoadState("networkidle")
                assert.deepStrictEqual(await barriers(page), [], `${place}, ${look.colorScheme}`)
                assert.isAtMost(await overflow(page), 0, `${place} at ${look.viewport.width}`)
              }
            },
            { secret: secrets.admin, ...look }
          )
        }
      })
    )
  })
})
