/**
 * What `npm run mutation` runs against each mutant: the domain's own tests, and nothing
 * else. Each file in a context of its own, or what a module makes when it is loaded
 * could not be mutated.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/domain/**/*.test.ts"],
    testTimeout: 20_000
  }
})
