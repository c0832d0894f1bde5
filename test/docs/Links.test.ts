/** Links between the documents lead to files and headings that are there. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"
import { documents, read, root } from "./documents.ts"

/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

const anchorsOf = (path: string): ReadonlySet<string> =>
  new Set(
    Array.from(
      read(path)
        .replaceAll(/^```[\s\S]*?^```$/gm, "")
        .matchAll(/^#+ (.+)$/gm),
      ([, text = ""]) => anchorOf(text)
    )
  )

const brokenLinks = (path: string): ReadonlyArray<string> => {
  const text = read(path).replaceAll(/^```[\s\S]*?^```$/gm, "")
  const links = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target)
  return links.flatMap((target) => {
    if (/^https?:/.test(target)) return []
    const [file = "", anchor] = target.split("#")
    const to = file === "" ? path : Path.posix.join(Path.posix.dirname(path), file)
    if (!Fs.existsSync(Path.join(root, to))) return [`${path}: ${target}: no such file`]
    return anchor === undefined || anchorsOf(to).has(anchor) ? [] : [`${path}: ${target}: no such heading`]
  })
}

describe("the documents", () => {
  it("are found", () => {
    assert.includeMembers(
      [...documents],
      ["README.md", "CONTRIBUTING.md", "docs/GUIDE.md", "docs/CLUSTER.md", "examples/embed/README.md"]
    )
  })

  it("link to files and headings that are there", () => {
    assert.deepStrictEqual(documents.flatMap(brokenLinks), [])
  })

  it("name no machine", () => {
    const named = documents.flatMap((path) =>
      (read(path).match(/\/(?:home|root|Users|work|tmp)\/\S*/g) ?? []).map((found) => `${path}: ${found}`)
    )
    assert.deepStrictEqual(named, [])
  })

  it("begin with a README of at most 1,200 words", () => {
    assert.isAtMost(read("README.md").split(/\s+/).filter(Boolean).length, 1_200)
  })
})
