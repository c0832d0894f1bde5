/** `wallet verify`: compares the log with everything derived from it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import { verify } from "../engine/Verify.ts"
import * as Flags from "./Flags.ts"
import { storesLayer } from "../engine/EngineStores.ts"
import { loggingLayer } from "./Logging.ts"
import { CommandFailed, makeProgress, perSecond, printNote, printResult, reportFailure, timeLeft } from "./Output.ts"
import { verifyRemotely } from "./RemoteVerify.ts"
import { loadServiceConfig } from "./ServiceConfig.ts"
import { findServicePlace } from "./ServicePlace.ts"
import { type ProgressDocument, progressDocument, verifyDocument, verifyLines } from "./VerifyDocument.ts"

const progressLine = ({ differenceCount, head, position, wallets }: ProgressDocument, millis: number): string => {
  const [done, total] = [Number(position), Number(head)]
  const share = total === 0 ? 100 : Math.floor((done * 100) / total)
  return (
    `verify: ${share} % of the log, ${wallets.toLocaleString("en")} wallets, ` +
    `${differenceCount} differences, ${perSecond(done, millis)}${timeLeft(done, total, millis)}`
  )
}

const runVerify = Effect.fnUntraced(function* (options: { readonly json: boolean; readonly url: Option.Option<URL> }) {
  const config = yield* loadServiceConfig
  const place = yield* findServicePlace(config, options.url)
  const progress = yield* makeProgress(options.json)
  const started = yield* Clock.currentTimeMillis
  const show = Effect.fnUntraced(function* (document: ProgressDocument) {
    yield* progress.show(progressLine(document, (yield* Clock.currentTimeMillis) - started))
  })
  if (place._tag === "Service" && !options.json) {
    yield* printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
  }
  const report = yield* place._tag === "Service"
    ? verifyRemotely(place.service, show).pipe(Effect.ensuring(progress.clear), Effect.provide(FetchHttpClient.layer))
    : verify({ onProgress: (one) => show(progressDocument(one)) }).pipe(
        Effect.map(verifyDocument),
        Effect.ensuring(progress.clear),
        Effect.provide(storesLayer(config.engine.stores)),
        Effect.provide(loggingLayer(config))
      )
  yield* printResult(options.json, report, verifyLines(report))
  if (report.differenceCount > 0) {
    return yield* new CommandFailed({ exitCode: 1, reason: `${report.differenceCount} differences` })
  }
})

export const verifyCommand = Command.make("verify", { url: Flags.url, json: Flags.json }, (options) =>
  reportFailure(options.json)(runVerify(options))
).pipe(
  Command.withShortDescription("Compare the log with everything derived from it"),
  Command.withDescription(
    "Compare the log with the tables and the search, wallet by wallet, and check that money is conserved. " +
      "Reads only. Exits with 1 when anything differs."
  )
)
