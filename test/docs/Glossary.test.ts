/** The words of docs/GLOSSARY.md are those of the code. */
import * as Fs from "node:fs"
import { assert, describe, it } from "vitest"
import { read, root } from "./documents.ts"

const code = Fs.globSync("src/**/*.ts", { cwd: root })
  // Comments may still have a word that the code has lost.
  .map((path) => read(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""))
  .join("\n")

const rows = Array.from(read("docs/GLOSSARY.md").matchAll(/^\| ([^|]+) \| ([^|]+) \| ?([^|]*)\|$/gm))
  .map(([, word = "", , names = ""]) => ({
    word,
    names: Array.from(names.matchAll(/`(\w+)`/g), ([, name = ""]) => name)
  }))
  .filter(({ word }) => word !== "word")

describe("docs/GLOSSARY.md", () => {
  it("has each word once", () => {
    assert.isAbove(rows.length, 40)
    assert.strictEqual(new Set(rows.map(({ word }) => word)).size, rows.length)
  })

  it("names what is in the code", () => {
    const missing = rows.flatMap(({ names, word }) =>
      names.flatMap((name) => (new RegExp(`\\b${name}\\b`).test(code) ? [] : [`${word}: ${name}`]))
    )
    assert.deepStrictEqual(missing, [])
  })
})
