/**
 * The same program with wallets in this process, or in a service:
 *
 *   npm run example:remote                       in .wallets/
 *   npm run example:remote -- http://… KEY       in the service there
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, type Layer, Logger } from "effect"
import type { WalletEngine } from "effect-wallet"
import { embedded, remote } from "./engine.ts"
import { open, payMonth } from "./payroll.ts"

const program = Effect.gen(function* () {
  yield* open({ firm: 500_000n, ann: 0n, ben: 0n })
  for (const line of yield* payMonth("2026-01", { ann: 310_000n, ben: 240_000n })) yield* Console.log(line)
})

const [url, apiKey] = process.argv.slice(2)

const wallets: Layer.Layer<WalletEngine, unknown> =
  url === undefined || apiKey === undefined ? embedded(".wallets") : remote(url, apiKey)

program.pipe(Effect.provide(wallets), Effect.provideService(Logger.LogToStderr, true), NodeRuntime.runMain)
