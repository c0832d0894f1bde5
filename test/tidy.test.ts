/**
 * Keeps the tree tidy where no linter looks, in the manner of TigerBeetle's
 * `tidy.zig`: what reviewers would otherwise say again and again.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"

const root = Path.resolve(import.meta.dirname, "..")

const sources = (folder: string): ReadonlyArray<string> =>
  Fs.globSync(`${folder}/**/*.ts`, { cwd: root })
    .map((path) => path.replaceAll(Path.sep, "/"))
    .sort()

const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

/** Comments and the insides of quotes blanked, line by line in place. */
const codeOf = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replace(/(^|[^:])\/\/.*$/gm, "$1")

const offences = (paths: ReadonlyArray<string>, pattern: RegExp, text: (path: string) => string): Array<string> =>
  paths.flatMap((path) =>
    text(path)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []))
  )

const src = sources("src")
const all = [...src, ...sources("bench"), ...sources("test"), ...sources("examples")]

/** Programs, not library: they may touch the process they are. */
const executables = (path: string): boolean => path.startsWith("src/bin/") || path.endsWith("Worker.ts")

/** The simulation is what runs effects there: on a world of its own, without any real time or event loop. */
const runsEffects = (line: string): boolean =>
  line.startsWith("src/testing/simulation/") && /\bEffect\.run(?:ForkWith|Sync|SyncExit)\(/.test(line)

describe("the tree is tidy", () => {
  it("finds its sources", () => {
    assert.isAbove(src.length, 10)
  })

  it("has no file above 500 lines", () => {
    assert.deepStrictEqual(
      all.filter((path) => read(path).split("\n").length > 501),
      []
    )
  })

  // V8 makes such a function in the old generation, and keeps what it sees until a full collection.
  it("assigns no function to a property where it is written", () => {
    const assigned =
      /^\s+[\w!?#]+[.[][\w.!?#[\]"]*\s(?:\?\?)?= \(?(?:async )?(?:\([^)]*\)(?:: [^=]+)? =>|\w+ =>|\($|function)/
    for (const line of [
      "    actor.unreplied = () => reply(actor)",
      "    this.#release = () => count(-bytes)",
      '    this["p"] ??= (x: number): void => go(x)',
      "    this.p = function () {",
      "    this.p = ("
    ]) {
      assert.match(line, assigned)
    }
    assert.deepStrictEqual(
      offences(src, assigned, (path) => codeOf(read(path))),
      []
    )
  })

  it("has no line above 140 columns in src", () => {
    assert.deepStrictEqual(
      offences(src, /^.{141,}$/, read).filter((line) => !line.includes("http")),
      []
    )
  })

  it("opens every module of src with a header comment", () => {
    const bare = src.filter((path) => !/^(?:#!.*\n)?\/\*\*/.test(read(path)))
    assert.deepStrictEqual(bare, [])
  })

  it("names no file utils, common, helpers, manager, Live or Impl", () => {
    const forbidden = /(?:^|\/)(?:utils?|common|helpers?|misc|shared)(?:\/|\.)|Manager\.ts$|Live\.ts$|Impl\.ts$/i
    assert.deepStrictEqual(
      all.filter((path) => forbidden.test(path)),
      []
    )
  })

  it("names no value after its pattern", () => {
    const forbidden = /\b(?:const|class|interface|type) \w+(?:Live|Impl|Manager|Helper|Utils)\b/
    assert.deepStrictEqual(
      offences(src, forbidden, (path) => codeOf(read(path))),
      []
    )
  })

  it("takes time, randomness and the environment from services", () => {
    // A socket's own `setTimeout` bounds its silence.
    const forbidden =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|(?<!\.)\bsetTimeout\b|\bsetInterval\b|\bprocess\.env\b|\bEffect\.run(?:Promise|Sync|Fork|Callback)\w*|\bprocess\.exit\b/
    const found = offences(
      src.filter((path) => !executables(path)),
      forbidden,
      (path) => codeOf(read(path))
    )
    assert.deepStrictEqual(
      found.filter((line) => !runsEffects(line)),
      []
    )
  })

  it("imports modules, not the packages that hold them: all of one is loaded at every start, with what it needs", () => {
    const programs = all.filter((path) => !path.startsWith("examples/"))
    assert.deepStrictEqual(offences(programs, /^(?:import|\}) .*from "(?:effect|@effect\/platform-node)"/, read), [])
  })

  it("has no async function in src outside the executables and the drivers' edges", () => {
    const edges = (path: string): boolean => executables(path) || path.startsWith("src/stores/pglite/")
    const found = offences(
      src.filter((path) => !edges(path)),
      /\basync\b|\bawait\s/,
      (path) => codeOf(read(path))
    )
    assert.deepStrictEqual(
      found.filter((line) => !/\bawait[:?]|\.await\b/.test(line)),
      []
    )
  })

  it("leaves nothing for later", () => {
    assert.deepStrictEqual(
      offences(
        all.filter((path) => path !== "test/tidy.test.ts"),
        /\b(?:TODO|FIXME|XXX|HACK)\b/,
        read
      ),
      []
    )
  })

  it("waits for conditions, never for time, in tests", () => {
    const tests = sources("test").filter((path) => !path.startsWith("test/support/"))
    assert.deepStrictEqual(
      offences(tests, /\bsetTimeout\(|\.only\(/, (path) => codeOf(read(path))),
      []
    )
  })

  it("names no machine: no absolute path, no registry", () => {
    const published = [...all, "package.json", "package-lock.json", ".npmrc"].filter(
      (path) => path !== "test/tidy.test.ts"
    )
    const found = offences(published, /\/(?:home|root|Users|work)\/|"resolved":|^registry\s*=/, read)
    assert.deepStrictEqual(found, [])
  })

  it("exports only what the published package holds", () => {
    const manifest = JSON.parse(read("package.json"))
    const targets = [
      ...Object.values<string>(manifest.bin),
      ...Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === "string" ? [] : [(entry as { readonly default: string }).default]
      )
    ]
    const missing = targets
      .map((target: string) => target.replace(/^(?:\.\/)?dist\//, "src/").replace(/\.js$/, ".ts"))
      .filter((path) => !Fs.existsSync(Path.join(root, path)))
    assert.deepStrictEqual(missing, [])
  })
})
