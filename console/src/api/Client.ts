/** The typed client of the API over the browser's `fetch`, as promises that fail with a `Failure`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { WalletClient } from "../../../src/http/WalletClient.ts"
import { failureOf } from "./Failure.ts"

export type Api = WalletClient["Service"]

/** Where the service is: what stands before `/console`, whatever a proxy has put there. */
export const baseUrl = new URL(".", window.location.href.split(/[?#]/, 1)[0]).href

/** The service waits for half a minute at most; what takes longer is lost on the way. */
const answerWithin = "60 seconds"

/** Longer than any list's page is, and short enough to say so while somebody is still looking. */
const readWithin = "20 seconds"

export interface Client {
  /** A query. */
  readonly read: <A, E>(ask: (api: Api) => Effect.Effect<A, E>, signal?: AbortSignal) => Promise<A>
  /** A command: waits longer. */
  readonly act: <A, E>(ask: (api: Api) => Effect.Effect<A, E>) => Promise<A>
  /** Runs until the signal. */
  readonly follow: <A, E>(ask: (api: Api) => Effect.Effect<A, E>, signal: AbortSignal) => Promise<A>
}

/** Without a key, for what needs none. */
export const makeClient = (secret: string): Client => {
  const layer = WalletClient.layer({ baseUrl, apiKey: Redacted.make(secret) }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )
  const runtime = ManagedRuntime.make(layer)
  const run = async <A, E>(effect: Effect.Effect<A, E, WalletClient>, signal?: AbortSignal): Promise<A> => {
    const exit = await runtime.runPromiseExit(effect, signal === undefined ? {} : { signal })
    if (Exit.isSuccess(exit)) return exit.value
    signal?.throwIfAborted()
    throw failureOf(exit.cause)
  }
  return {
    read: (ask, signal) => run(Effect.timeout(Effect.flatMap(WalletClient, ask), readWithin), signal),
    act: (ask) => run(Effect.timeout(Effect.flatMap(WalletClient, ask), answerWithin)),
    follow: (ask, signal) => run(Effect.flatMap(WalletClient, ask), signal)
  }
}

/** Milliseconds. */
export const now = (): number => Effect.runSync(Clock.currentTimeMillis)
