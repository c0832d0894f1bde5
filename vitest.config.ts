/**
 * Two projects: `unit` needs nothing but Node and stays quick; `integration`
 * starts real servers and processes where the machine has them.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // Two cores are the smallest machine this runs on: more workers only wait for one another.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.integration.test.ts"],
          testTimeout: 20_000
        }
      },
      {
        test: {
          name: "integration",
          include: ["test/**/*.integration.test.ts"],
          globalSetup: ["test/support/globalSetup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
