import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, it } from "@effect/vitest"
import * as Command from "effect/cli/Command"
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Shutdown } from "../../src/cli/ServeCommand.ts"
import { walletCommand } from "../../src/cli/WalletCommand.ts"

const commands: ReadonlyArray<ReadonlyArray<string>> = [
  [],
  ["serve"],
  ["migrate"],
  ["import"],
  ["verify"],
  ["replay"],
  ["inspect"],
  ["keys"],
  ["keys", "create"],
  ["keys", "list"],
  ["keys", "revoke"],
  ["load"]
]

/** What `--help` prints, without colours. */
const helpOf = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const lines: Array<string> = []
  const recording: Console.Console = { ...globalThis.console, log: (...parts) => void lines.push(parts.join(" ")) }
  yield* Command.runWith(walletCommand, { version: "0.0.0" })([...args, "--help"]).pipe(
    Effect.provideService(Console.Console, recording),
    Effect.provide(CliOutput.layer(CliOutput.defaultFormatter({ colors: false }))),
    Effect.provide(Layer.merge(NodeServices.layer, Layer.succeed(Shutdown, { expected: Effect.void })))
  )
  return `${lines.join("\n").trimEnd()}\n`
})

describe("help", () => {
  for (const args of commands) {
    it.live(`of ${["wallet", ...args].join(" ")} is what it was`, () =>
      Effect.gen(function* () {
        const text = yield* helpOf(args)
        const file = `golden/${["wallet", ...args].join("-")}.txt`
        yield* Effect.promise(() => expect(text).toMatchFileSnapshot(file))
      })
    )
  }
})
