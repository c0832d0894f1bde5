/** What `npm run observe:check` runs: dashboards and alerts on real servers that the ordinary run leaves out for their time. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/observe/**/*.observe.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    // Each starts several servers: side by side they would wait for one another.
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 900_000
  }
})
