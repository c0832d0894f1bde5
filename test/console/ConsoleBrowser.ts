/** The console in a browser: watched for what it must never do, and for what would keep somebody out. */
import { assert } from "@effect/vitest"
import type * as Axe from "axe-core"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Browser, BrowserContextOptions, Page, Request } from "playwright-core"

export interface Watched {
  readonly page: Page
  /** Of the browser's console, of the page, of its policy. */
  readonly faults: Array<string>
  readonly requests: Array<Request>
}

/** That a call was answered 401, 403, 404 or not at all is what some tests are about. */
const isExpected = (text: string): boolean => /Failed to load resource/.test(text)

export const openPage = async (browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  // For what hangs, not for what is slow.
  page.setDefaultTimeout(60_000)
  const faults: Array<string> = []
  const requests: Array<Request> = []
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isExpected(message.text())) faults.push(message.text())
  })
  page.on("pageerror", (error) => faults.push(error.message))
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => requests.push(request))
  return { page, faults, requests }
}

/** Nobody else was asked, no key was in an address, nothing of the page broke its policy. */
const assertClean = ({ faults, requests }: Watched, url: string, secrets: ReadonlyArray<string>): void => {
  assert.deepStrictEqual(faults, [])
  for (const request of requests) {
    assert.match(request.url(), new RegExp(`^(?:${url}/|data:|blob:)`))
    for (const secret of secrets) assert.notInclude(request.url(), secret)
  }
}

/** Says of what fails or hangs what the page showed then. */
export const settle = async <A>(
  watched: Watched,
  url: string,
  secrets: ReadonlyArray<string>,
  use: () => Promise<A>
): Promise<A> => {
  try {
    const result = await use()
    assertClean(watched, url, secrets)
    return result
  } catch (error) {
    const { page } = watched
    const shown = await page.locator("body").innerText({ timeout: 5_000 }).catch(String)
    console.error(`the page at ${page.url()} showed:\n${shown.slice(0, 3_000)}\nfaults: ${watched.faults.join("\n")}`)
    throw error
  }
}

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8")

/** What stands in the way of somebody, seriously or entirely. */
export const barriers = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: typeof Axe }).axe.run(document, { resultTypes: ["violations"] })
  )
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, target }) => `${target.join(" ")} ${html.slice(0, 120)}`).join("; ")}`
    )
}

/** How far the page is wider than the window, pixels. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
