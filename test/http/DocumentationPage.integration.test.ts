/** The page of the API in a real browser: it draws the document, under its policy, and keeps the key to itself. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { browser, program } from "../support/browser.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const secret = "a-key-that-stays-in-the-page"

describe.skipIf(program === undefined)("the page of the API in a browser", () => {
  it.live("draws the document, asks nobody else, and keeps a key to itself", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer
      const opened = yield* browser
      yield* Effect.promise(async () => {
        const page = await opened.newPage()
        const faults: Array<string> = []
        const asked: Array<string> = []
        page.on("console", (message) => message.type() === "error" && faults.push(message.text()))
        page.on("pageerror", (error) => faults.push(error.message))
        page.on("request", (request) => asked.push(request.url()))
        await page.goto(`${url}/docs`)
        await page.getByText("Create a wallet").first().waitFor()
        const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime)
        console.log(`/docs: first contentful paint after ${Math.round(painted ?? Number.NaN)} ms`)
        await page.getByText("Authentication").first().click()
        await page.locator("input[type=text]:visible, input[type=password]:visible").last().fill(secret)
        await page.keyboard.press("Enter")
        const kept = await page.evaluate("JSON.stringify([{ ...localStorage }, document.cookie])")
        assert.notInclude(String(kept), secret)
        assert.deepStrictEqual(faults, [])
        assert.isAtLeast(asked.length, 3)
        for (const one of asked) assert.match(one, new RegExp(`^(?:${url}/|data:|blob:)`))
      })
    }).pipe(Effect.scoped, Effect.provide(Server.layer()))
  )
})
