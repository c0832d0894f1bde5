/** Runs the `wallet` command as this process: arguments, signals, exit code. */
import "./noPretenuring.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { readFileSync } from "node:fs"
import { PackageVersion } from "../cli/PackageVersion.ts"
import { Shutdown } from "../cli/ServeCommand.ts"
import { walletCommand } from "../cli/WalletCommand.ts"
import "./endWhenDone.ts"

/** Beside `src/` in the repository and beside `dist/` in the package. */
const manifest: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8")
)

let interruptCode = 130
const shutdown = Layer.succeed(Shutdown, {
  expected: Effect.sync(() => {
    interruptCode = 0
  })
})

/** A stop takes less than 10 s, whatever a store does; what was acknowledged is safe without it. */
const stopMillis = 9_500

/** npm and a terminal both pass an interrupt on: two of them this close are one. */
const sameSignalMillis = 1_000

let stoppingSince: number | undefined
const stop = (signal: NodeJS.Signals): void => {
  if (stoppingSince !== undefined) {
    // Whoever asks twice does not want to wait.
    if (performance.now() - stoppingSince > sameSignalMillis) process.exit(interruptCode)
    return
  }
  stoppingSince = performance.now()
  setTimeout(() => {
    process.stderr.write(`wallet: not stopped ${stopMillis} ms after ${signal}: cut off\n`)
    process.exit(interruptCode)
  }, stopMillis).unref()
}
process.on("SIGTERM", stop)
process.on("SIGINT", stop)

/** Called wrongly: the help was printed with what is wrong. */
const usageCode = 2

const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit)) {
    if (Cause.hasInterruptsOnly(exit.cause)) return onExit(interruptCode)
    const error = Cause.squash(exit.cause)
    if (error instanceof CliError.ShowHelp && error.errors.length > 0) return onExit(usageCode)
  }
  return Runtime.defaultTeardown(exit, onExit)
}

Command.run(walletCommand, { version: manifest.version }).pipe(
  Effect.provide(Layer.mergeAll(NodeServices.layer, shutdown, Layer.succeed(PackageVersion, manifest.version))),
  (program) => NodeRuntime.runMain(program, { teardown })
)
