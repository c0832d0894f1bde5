/** What README and guide show runs: the calls against a real service, the programs as they are. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { promisify } from "node:util"
import { startService, temporaryFolder } from "../cli/WalletProcess.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { blocksOf, root, typescriptBlocks } from "./documents.ts"

/** A service starts, and some forty calls go one after the other, beside other tests. */
const timeout = 240_000

const run = (program: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.promise(async () => (await promisify(execFile)(program, args, { cwd })).stdout)

/** The blocks that call the service, as one script; where it is and the key are this test's. */
const callsOf = (path: string): string =>
  blocksOf(path)
    .filter(({ info, text }) => info === "sh" && /\$API\b|^call /m.test(text))
    .map(({ text }) => text.replaceAll(/^(?:API|KEY)=.*$/gm, ""))
    .join("\n")

const calling = Effect.fnUntraced(function* (path: string) {
  const folder = yield* migratedDataDir
  const service = yield* startService({ WALLET_DATA_DIR: folder })
  const key = Fs.readFileSync(Path.join(folder, "api-key"), "utf8").trim()
  const script = `API=${service.url}/v1\nKEY=${key}\n${callsOf(path)}`
  return yield* run("sh", ["-c", `${script}\ntrue`], folder)
})

describe("docs/GUIDE.md", () => {
  it.live(
    "shows calls that answer the status and the code that it says",
    () =>
      Effect.gen(function* () {
        const expected = Array.from(callsOf("docs/GUIDE.md").matchAll(/ # (\d{3})(?: (\w+))?$/gm))
        const said = yield* calling("docs/GUIDE.md")
        const answers = Array.from(said.matchAll(/^(.*) (\d{3})$/gm), ([, body = "", status = ""]) => {
          const { code } = JSON.parse(body) as { readonly code?: string }
          return code === undefined ? status : `${status} ${code}`
        })
        assert.isAbove(answers.length, 30)
        assert.deepStrictEqual(
          answers,
          expected.map(([, status, code]) => (code === undefined ? status : `${status} ${code}`))
        )
        assert.include(said, "event: WalletCreated", "the feed")
        assert.include(said, '"remaining":"0"', "the hold")
      }),
    timeout
  )
})

const programs = typescriptBlocks
  .filter(({ text }) => /Effect\.runPromise\(|^given\(|simulatePolicy\(/m.test(text))
  .map(({ info }) => info.split(" ")[1] ?? "")

describe("a program of README and guide", () => {
  it("is found", () => assert.isAbove(programs.length, 3))

  it.live.each(programs)("runs: %s", (file) =>
    Effect.gen(function* () {
      yield* run(process.execPath, ["--conditions=effect-wallet-source", Path.join(root, file)], yield* temporaryFolder)
    })
  )
})

describe("README.md", () => {
  it.live(
    "shows a first wallet that ends as it says",
    () =>
      Effect.gen(function* () {
        const said = yield* calling("README.md")
        assert.include(said, '"balance":"800","held":"0","available":"800"')
        assert.notInclude(said, '"code":')
      }),
    timeout
  )
})
