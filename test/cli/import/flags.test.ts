import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { importCommand } from "../../../src/cli/import/ImportCommand.ts"
import { temporaryFile } from "./importing.ts"

/** How the command ends that is called so. */
const failureOf = (args: ReadonlyArray<string>) => {
  const silent: Console.Console = { ...globalThis.console, log: () => {}, error: () => {} }
  return Command.runWith(importCommand, { version: "0.0.0" })(["none.csv", ...args]).pipe(
    Effect.provideService(Console.Console, silent),
    Effect.provide(NodeServices.layer),
    Effect.flip,
    Effect.map((error) => ({
      exitCode: "exitCode" in error ? error.exitCode : undefined,
      text: "reason" in error ? String(error.reason) : String(error)
    }))
  )
}

const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, message: string]> = [
  [["--decimal", "auto"], "--decimal: "],
  [["--decimal", "1,234,56"], "--decimal: "],
  [["--exponent", "EUR=x"], "--exponent: "],
  [["--exponent", "19"], "--exponent: "],
  [["--exponent", "2", "--exponent", "3"], "--exponent: 2 and 3 at once"],
  [["--opening", "lots"], "--opening: "],
  [["--overdraft=-5"], "--overdraft: is below 0"],
  [["--overdraft", "x"], "--overdraft: "],
  [["--map", "in=a"], "--map: in and out belong together"],
  [["--map", "in=a", "--map", "out=b", "--map", "amount=c"], "--map: amounts are in one column"],
  [["--map", "id=a", "--map", "id=b"], "--map: id is mapped twice"],
  [["--map", "toString=a"], "--map: "],
  [["--map", "wallet=a", "--wallet", "w"], "--wallet: says the wallet of every row"],
  [["--wallet-map", "none.csv", "--wallet", "w"], "--wallet-map: "],
  [["--id-columns", "a,,b"], "--id-columns: "],
  [["--id-columns", "a", "--line-ids"], "--id-columns: "],
  [["--id-columns", "a", "--map", "id=b"], "--id-columns: "]
]

describe("flags of an import", () => {
  for (const [args, message] of cases) {
    it.live(`are refused with exit code 2: ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const { exitCode, text } = yield* failureOf(args)
        assert.include(text, message)
        assert.strictEqual(exitCode, 2)
      })
    )
  }

  for (const args of [
    ["--source", "a:b"],
    ["--encoding", "klingon"],
    ["--delimiter", ";;"],
    ["--wallet", "a:b"],
    ["--skip", "-1"]
  ]) {
    it.live(`are refused by their form: ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        assert.isUndefined((yield* failureOf(args)).exitCode)
      })
    )
  }

  const maps: ReadonlyArray<readonly [text: string, message: string]> = [
    ["a:b,w\n", "the first line has to be: account,wallet"],
    ["account,wallet\na:b,w\na:b,v\n", "it names the account a:b twice"],
    ["account,wallet\na:b,w\na:c,w\n", "a:b and a:c are both wallet w"],
    ["account,wallet\na:b,a:b\n", '"a:b" is not 1-64 of A-Z a-z 0-9 _ -'],
    ["account,wallet\na:b\n", "Invalid Record Length"]
  ]
  for (const [text, message] of maps) {
    it.live(`--wallet-map is refused: ${message}`, () =>
      Effect.gen(function* () {
        const file = yield* temporaryFile("map.csv", text)
        assert.include((yield* failureOf(["--wallet-map", file])).text, message)
      }).pipe(Effect.scoped)
    )
  }
})
