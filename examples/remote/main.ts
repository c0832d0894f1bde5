/**
 * The same program with wallets in this process, or in a service:
 *
 *   npm run example:remote
 *   WALLET_URL=http://… WALLET_API_KEY=… npm run example:remote
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Logger } from "effect"
import { wallets } from "./engine.ts"
import { open, payMonth } from "./payroll.ts"

const program = Effect.gen(function* () {
  yield* open({ firm: 500_000n, ann: 0n, ben: 0n })
  for (const line of yield* payMonth("2026-01", { ann: 310_000n, ben: 240_000n })) yield* Console.log(line)
})

program.pipe(Effect.provide(wallets), Effect.provideService(Logger.LogToStderr, true), NodeRuntime.runMain)
