/** What README and guide show in TypeScript are the files of examples/guide, which the compiler checks and a test runs. */
import * as Fs from "node:fs"
import { assert, describe, it } from "vitest"
import { read, root, typescriptBlocks } from "./documents.ts"

const files = Fs.globSync("examples/guide/*.ts", { cwd: root }).sort()

describe("the examples in TypeScript", () => {
  it("are the files that they name, each shown once", () => {
    assert.isAbove(files.length, 5)
    assert.sameMembers(
      typescriptBlocks.map(({ info }) => info.split(" ")[1]),
      files
    )
    for (const { info, line, path, text } of typescriptBlocks) {
      assert.strictEqual(text, read(info.split(" ")[1] ?? ""), `${path}:${line} is not ${info}`)
    }
  })
})
