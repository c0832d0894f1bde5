/** What README and guide show in TypeScript is right by the compiler, with this package under its public name. */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { root, typescriptBlocks } from "./documents.ts"

/** Below the root, from where the package finds itself and its dependencies; git does not look there. */
const folder = Path.join(root, ".data", `documents-${process.pid}`)

const compile = (blocks: ReadonlyArray<string>): string => {
  Fs.mkdirSync(folder, { recursive: true })
  const files = blocks.map((text, index) => {
    const file = Path.join(folder, `block${index}.ts`)
    // A module, also without an import of its own.
    Fs.writeFileSync(file, `${text}\nexport {}\n`)
    return file
  })
  const config = { extends: Path.join(root, "tsconfig.json"), compilerOptions: { types: ["node"] }, files, include: [] }
  Fs.writeFileSync(Path.join(folder, "tsconfig.json"), JSON.stringify(config))
  const { stderr, stdout } = spawnSync(
    process.execPath,
    [Path.join(root, "node_modules/typescript/bin/tsc"), "-p", folder],
    { cwd: root, encoding: "utf8" }
  )
  return `${stdout}${stderr}`
}

afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

describe("the examples in TypeScript", () => {
  it("compile", { timeout: 60_000 }, () => {
    assert.isAbove(typescriptBlocks.length, 6)
    const said = compile([...typescriptBlocks.map(({ text }) => text), "export const wrong: string = 1"])
    const last = `block${typescriptBlocks.length}.ts`
    assert.include(said, last, "the compiler sees what is wrong")
    const places = typescriptBlocks.map(({ line, path }, index) => `block${index}.ts is ${path}:${line}`).join("\n")
    assert.deepStrictEqual(
      said.split("\n").filter((line) => line.includes("error TS") && !line.includes(last)),
      [],
      places
    )
  })
})
