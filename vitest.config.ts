/**
 * Two projects: `unit` needs nothing but Node and stays quick; `integration`
 * starts real servers and processes where the machine has them.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Hundreds of processes of this project are started by tests: they compile it once.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url))

export default defineConfig({
  test: {
    // Two cores are the smallest machine this runs on: more workers only wait for one another.
    maxWorkers: 2,
    // No module of `src` keeps anything of a test, so the files of a worker share them: hundreds of modules are
    // evaluated once a worker, not once a file.
    isolate: false,
    // Limits for what hangs, not for what is slow: on a busy machine a test takes many times as long, and passes.
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.integration.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000
        }
      },
      {
        test: {
          name: "integration",
          include: ["test/**/*.integration.test.ts"],
          globalSetup: ["test/support/globalSetup.ts"],
          testTimeout: 900_000,
          hookTimeout: 900_000
        }
      }
    ]
  }
})
