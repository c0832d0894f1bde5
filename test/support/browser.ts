/** A real Chromium, where the machine has one. */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { type Browser, chromium } from "playwright-core"

const programs = ["chromium", "chromium-browser", "google-chrome"]

/** `undefined`: there is none, which has been said loudly. */
export const program = programs.find((name) => spawnSync(name, ["--version"]).status === 0)
if (program === undefined)
  console.error("\n!!! NOT TESTED: pages in a browser, for want of chromium (Debian's package)\n")

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

export const browser = Effect.acquireRelease(
  Effect.promise(async () => {
    const executablePath = spawnSync("which", [program ?? ""], { encoding: "utf8" }).stdout.trim()
    return chromium.launch({ executablePath, args: [...flags, "--disable-component-update", "--disable-sync"] })
  }),
  (opened: Browser) => Effect.promise(() => opened.close())
)
