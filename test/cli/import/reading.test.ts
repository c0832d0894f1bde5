import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { appendFileSync, createWriteStream, renameSync, utimesSync, writeFileSync } from "node:fs"
import { importFile } from "../../../src/cli/import/Import.ts"
import { balance, importText, options, refusal, services, temporaryFile, walletIds } from "./importing.ts"

const header = "id,wallet_id,currency,amount\n"
const text = `${header}1,w,EUR,12\n`

describe("the file of an import", () => {
  const changes: ReadonlyArray<readonly [name: string, change: (file: string) => void]> = [
    // A whole row, or the reader might come to it and find fault with it first.
    ["grows", (file) => appendFileSync(file, "2,w,EUR,1\n")],
    ["is written anew, in the same size", (file) => (writeFileSync(file, text), utimesSync(file, 1, 1))],
    ["is another one of the same name", (file) => (writeFileSync(`${file}.new`, text), renameSync(`${file}.new`, file))]
  ]
  for (const [name, change] of changes) {
    it.live(`is refused where it ${name} while it is read`, () =>
      Effect.gen(function* () {
        const file = yield* temporaryFile("a.csv", text)
        const error = yield* Effect.flip(
          importFile(
            options(file, { onProgress: ({ step }) => Effect.sync(() => (step === "read" ? change(file) : undefined)) })
          )
        )
        assert.strictEqual(error.message, `${file} cannot be read: it has changed while it was read`)
        assert.deepStrictEqual(yield* walletIds, [])
      }).pipe(Effect.scoped, Effect.provide(services))
    )
  }

  it.live("may be a pipe", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFile("a", "")}.csv`
      assert.strictEqual(spawnSync("mkfifo", [file]).status, 0)
      createWriteStream(file).end(header + Array.from({ length: 9999 }, (_, id) => `${id},w,EUR,0.01\n`).join(""))
      assert.strictEqual((yield* importFile(options(file))).imported, 9999)
      assert.strictEqual(yield* balance("w"), 9999n)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  const lines = 'id,"memo\nof it",wallet_id,amount,currency\n1,"a\n\nb",w,5,EUR\n\n2,"c\nd",w,'
  const wrongs: ReadonlyArray<readonly [end: string, message: string]> = [
    ["x,EUR\n", "row 2 (line 8): amount"],
    ["x,EUR", "row 2 (line 8): amount"],
    ['6,EUR\n3,x,w,7,"EUR"x\n', "line 9"],
    ["6,EUR\n3,x,w,7\n", "line 9"]
  ]
  for (const [end, message] of wrongs) {
    for (const lineEnd of ["\n", "\r\n", "\r"]) {
      it.live(`has its lines counted, also inside of values: ${JSON.stringify(end + lineEnd)}`, () =>
        Effect.gen(function* () {
          assert.include(yield* refusal("a.csv", (lines + end).replaceAll("\n", lineEnd)), message)
        }).pipe(Effect.provide(services))
      )
    }
  }

  it.live("has the same ids by line, however its lines end", () =>
    Effect.gen(function* () {
      const more = { rowIds: { _tag: "Line" } } as const
      yield* importText("a.csv", `${lines}6,EUR\n`, more)
      const again = yield* importText("a.csv", `${lines}6,EUR\n`.replaceAll("\n", "\r\n"), more)
      assert.deepStrictEqual([again.known, again.imported], [2, 0])
    }).pipe(Effect.provide(services))
  )

  it.live("is named once where it cannot be read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(importFile(options("/")))
      assert.match(error.message, /^\/ cannot be read: EISDIR: /)
    }).pipe(Effect.provide(services))
  )
})
