/**
 * The tuning constants of the sources: those numbers that somebody has chosen, beside the
 * bounds that an operator sets (`ActorBounds.ts`). As rows of the table in ARCHITECTURE.md;
 * what each is for is its own comment. `node test/docs/tuningConstants.ts` writes the table.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const root = Path.resolve(import.meta.dirname, "../..")
const document = Path.join(root, "docs/ARCHITECTURE.md")
const heading = "| constant | value | what for |\n|---|---|---|\n"

/** Codes, formats and units, which nobody tunes; and rooms that serve nobody (the simulation). */
const isTuned = (file: string, name: string): boolean =>
  !file.startsWith("testing/") &&
  !/^(jsonFormat|form|format|segmentForm|invalidArgument|sqliteBusy|cancelRequestCode|usageCode|epochMillis)$/.test(
    name
  ) &&
  !/^(headerBytes|commitFields|eventFields|dayMillis|hourMillis|anyTime|maxTime|maxTextLength)$/.test(name) &&
  !/^max(Metadata\w+|Exponent|Items|PlainLength)$/.test(name) &&
  !(file === "stores/kurrent/Failure.ts" && name !== "retryAfter")

interface TuningConstant {
  readonly file: string
  readonly name: string
  readonly value: string
  /** `undefined`: it has no comment. */
  readonly why: string | undefined
}

const declaration =
  /^(?:export )?const (\w+)(?:: number)? = (\d[\d_]*(?: \* \d[\d_]*)*|2 \*\* \d+|"[\d.]+ (?:millis|seconds?|minutes?|hours?)")$/

/** The comment above line `index`; of neighbours under one comment, that of the first. */
const commentAbove = (lines: ReadonlyArray<string>, index: number): string | undefined => {
  let end = index - 1
  while (end >= 0 && declaration.test(lines[end]!)) end--
  if (end < 0 || !lines[end]!.endsWith("*/")) return undefined
  let start = end
  while (start > 0 && !lines[start]!.startsWith("/**")) start--
  const text = lines
    .slice(start, end + 1)
    .map((line) =>
      line
        .replace(/^\/\*\*|\*\/$/g, "")
        .replace(/^ \*( |$)/, "")
        .trim()
    )
    .join(" ")
  return text.trim()
}

const sourceFiles = (): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(root, "src"), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll(Path.sep, "/"))
    .filter((file) => file.endsWith(".ts"))
    .sort()

export const tuningConstants = (): ReadonlyArray<TuningConstant> =>
  sourceFiles().flatMap((file) => {
    const lines = Fs.readFileSync(Path.join(root, "src", file), "utf8").split("\n")
    return lines.flatMap((line, index) => {
      const [, name = "", value = ""] = declaration.exec(line) ?? []
      return name === "" || !isTuned(file, name) ? [] : [{ file, name, value, why: commentAbove(lines, index) }]
    })
  })

/** Without a unit in it, a name's unit is in its comment. */
const rowOf = ({ file, name, value, why }: TuningConstant): string =>
  `| \`${file}\` ${name} | ${value.replaceAll("_", ",").replaceAll('"', "").replaceAll("*", "×")} | ${(why ?? "").replaceAll("|", "\\|")} |\n`

export const table = (): string => tuningConstants().map(rowOf).join("")

/** Where the document has the table. */
const place = (text: string): readonly [number, number] => {
  const start = text.indexOf(heading) + heading.length
  return [start, text.indexOf("\n## ", start)]
}

/** The table as the document has it. */
export const documented = (): string => {
  const text = Fs.readFileSync(document, "utf8")
  return text.slice(...place(text))
}

if (import.meta.filename === process.argv[1]) {
  const text = Fs.readFileSync(document, "utf8")
  const [start, end] = place(text)
  Fs.writeFileSync(document, text.slice(0, start) + table() + text.slice(end))
}
