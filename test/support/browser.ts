/** A real browser, where the machine has one; else a line says loudly what is not tested. */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { type Browser, chromium } from "playwright-core"

const programs = ["chromium", "chromium-browser", "google-chrome"]
const program = programs.find((name) => spawnSync(name, ["--version"]).status === 0)

/** Whether there is one. `what`: what is tested in it. */
export const hasBrowser = (what: string): boolean => {
  if (program === undefined)
    console.error(`\n!!! NOT TESTED: ${what} in a browser, for want of chromium (Debian's package)\n`)
  return program !== undefined
}

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** Closed with the scope. */
export const browser = Effect.acquireRelease(
  Effect.promise(async () => {
    const executablePath = spawnSync("which", [program ?? ""], { encoding: "utf8" }).stdout.trim()
    return chromium.launch({ executablePath, args: flags })
  }),
  (opened: Browser) => Effect.promise(() => opened.close())
)
