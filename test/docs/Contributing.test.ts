/** The lists of files in CONTRIBUTING.md are true: what they name is there, and what belongs to them is in them. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"
import { blocksOf, read, root } from "./documents.ts"

const recipes = new Map(
  blocksOf("CONTRIBUTING.md")
    .filter(({ info }) => info.startsWith("files "))
    .map(({ info, text }) => [
      info.slice("files ".length),
      text
        .trim()
        .split("\n")
        .map((line) => line.split(/\s/, 1)[0] ?? "")
    ])
)

/** Files of the engine that name the word, the contract suites and the simulation aside. */
const naming = (word: string): ReadonlyArray<string> =>
  Fs.globSync("src/**/*.ts", { cwd: root })
    .map((path) => path.replaceAll(Path.sep, "/"))
    .filter((path) => !path.startsWith("src/testing/") && new RegExp(`\\b${word}\\b`).test(read(path)))
    .sort()

describe("the lists of files in CONTRIBUTING.md", () => {
  it("are there for each recipe", () => {
    assert.sameMembers([...recipes.keys()], ["command", "event", "endpoint", "store", "message"])
  })

  it("name files that are there", () => {
    for (const [recipe, paths] of recipes) {
      assert.deepStrictEqual(
        paths.filter((path) => !Fs.existsSync(Path.join(root, path))),
        [],
        recipe
      )
    }
  })

  // The files that treat one command and one event: whoever adds another has to look at the same ones.
  it.each([
    ["command", "ReleaseHold"],
    ["event", "HoldReleased"]
  ] as const)("leave out no file that a new %s concerns", (recipe, word) => {
    assert.isNotEmpty(naming(word))
    assert.includeMembers(recipes.get(recipe) ?? [], [...naming(word)])
  })
})
