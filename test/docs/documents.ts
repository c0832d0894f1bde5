/** The documents of this repository, and what their blocks of code are. */
import * as Fs from "node:fs"
import * as Path from "node:path"

export const root = Path.resolve(import.meta.dirname, "../..")

export const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

export const documents: ReadonlyArray<string> = Fs.globSync(["*.md", "docs/*.md", "examples/*/*.md"], { cwd: root })
  .map((path) => path.replaceAll(Path.sep, "/"))
  .sort()

export interface Block {
  readonly path: string
  /** Line of its first line, from 1. */
  readonly line: number
  /** What stands behind the fence: `ts`, `sh norun`, … */
  readonly info: string
  readonly text: string
}

/** Fenced blocks, in their order. */
export const blocksOf = (path: string): ReadonlyArray<Block> => {
  const text = read(path)
  return Array.from(text.matchAll(/^```([^\n]+)\n([\s\S]*?)^```$/gm), (match) => ({
    path,
    line: text.slice(0, match.index).split("\n").length + 1,
    info: match[1] ?? "",
    text: match[2] ?? ""
  }))
}

/** Those in TypeScript, of all documents: `ts` and the file that they are. */
export const typescriptBlocks: ReadonlyArray<Block> = documents
  .flatMap(blocksOf)
  .filter(({ info }) => info.startsWith("ts"))
