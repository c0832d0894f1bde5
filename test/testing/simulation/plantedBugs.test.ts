/** A planted bug whose text is not in the sources any more would be found by nobody, and missed by nobody. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { plantedBugs } from "./plantedBugs.ts"

const root = Path.resolve(import.meta.dirname, "../../..")

describe("the planted bugs", () => {
  for (const { name, replacements } of plantedBugs) {
    it(`have their place in today's sources: ${name}`, () => {
      for (const { by, file, text } of replacements) {
        const parts = Fs.readFileSync(Path.join(root, file), "utf8").split(text)
        assert.lengthOf(parts, 2, `${file}: ${text}`)
        assert.notStrictEqual(by, text)
      }
    })
  }
})
