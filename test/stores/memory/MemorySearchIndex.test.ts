import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemorySearchIndex from "../../../src/stores/memory/MemorySearchIndex.ts"
import { searchIndexContract } from "../../../src/testing/contract/SearchIndexContract.ts"

describe("the search index in memory", () => {
  for (const { name, run } of searchIndexContract) {
    it.effect(name, () => Effect.provide(run, MemorySearchIndex.layer()))
  }
})
