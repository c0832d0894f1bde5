/** The table of docs/OPERATIONS.md has every environment variable, and no other. */
import * as Fs from "node:fs"
import { assert, describe, it } from "vitest"
import { read, root } from "./documents.ts"

const sources = Fs.globSync("src/**/*.ts", { cwd: root })
  .map(read)
  .filter((text) => text.includes('from "effect/Config"'))
  .join("\n")

const known = new Set(
  Array.from(
    sources.matchAll(/"((?:WALLET|OTEL|RATE|CORS|ELASTICSEARCH)_[A-Z_]+|[A-Z]+_URL|PORT|HOST)"/g),
    ([, name = ""]) => name
  )
)

const section = /^## Configuration\n(.*?)^## /ms.exec(read("docs/OPERATIONS.md"))?.[1] ?? ""
const documented = Array.from(section.matchAll(/^\| `([A-Z_]+)` \|/gm), ([, name = ""]) => name)

describe("the table of the configuration", () => {
  it("has every variable that the sources read, once", () => {
    assert.isAbove(known.size, 25)
    assert.sameMembers(documented, [...known])
  })
})
