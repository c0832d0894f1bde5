/** `wallet verify`: compares the log with everything derived from it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { VerifyOptions } from "../../engine/verify/Options.ts"
import { verify } from "../../engine/verify/Verify.ts"
import * as Flags from "../Flags.ts"
import { installedStores } from "../../engine/EngineStores.ts"
import { loggingLayer } from "../Logging.ts"
import {
  CommandFailed,
  exitCodeOf,
  makeProgress,
  perSecond,
  printNote,
  printResult,
  reportFailure,
  timeLeft
} from "../Output.ts"
import { runRemotely } from "./RemoteTool.ts"
import { loadServiceConfig } from "../ServiceConfig.ts"
import { findServicePlace } from "../ServicePlace.ts"
import { ProgressDocument, progressDocument, VerifyDocument, verifyDocument, verifyLines } from "./VerifyDocument.ts"

const progressLine = ({ differenceCount, head, position, wallets }: ProgressDocument, millis: number): string => {
  const [done, total] = [Number(position), Number(head)]
  const share = total === 0 ? 100 : Math.floor((done * 100) / total)
  return (
    `verify: ${share} % of the log, ${wallets.toLocaleString("en")} wallets, ` +
    `${differenceCount} differences, ${perSecond(done, millis)}${timeLeft(done, total, millis)}`
  )
}

const flags = {
  wallet: Flags.wallet("Compare this wallet alone"),
  repair: Flag.Boolean("repair").pipe(
    Flag.withDescription("Replace the rows of wallets that differ by what the log has, and compare those again"),
    Flag.withDefault(false)
  ),
  url: Flags.url,
  json: Flags.json
}

const runVerify = Effect.fnUntraced(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const { json } = given
  const config = yield* loadServiceConfig
  const place = yield* findServicePlace(config, given.url)
  const progress = yield* makeProgress(json)
  const started = yield* Clock.currentTimeMillis
  const onProgress = Effect.fnUntraced(function* (document: ProgressDocument) {
    yield* progress.show(progressLine(document, (yield* Clock.currentTimeMillis) - started))
  })
  const options: Pick<VerifyOptions, "repair" | "walletId"> = {
    ...Option.match(given.wallet, { onNone: () => ({}), onSome: (walletId) => ({ walletId }) }),
    repair: given.repair
  }
  if (place._tag === "Service" && !json) {
    yield* printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
  }
  const report = yield* place._tag === "Service"
    ? runRemotely(place.service, {
        tool: "verify",
        path: "/v1/verify",
        body: { ...options },
        progress: ProgressDocument,
        report: VerifyDocument,
        onProgress
      }).pipe(Effect.ensuring(progress.clear), Effect.provide(FetchHttpClient.layer))
    : verify({ ...options, onProgress: (one) => onProgress(progressDocument(one)) }).pipe(
        Effect.map(verifyDocument),
        Effect.ensuring(progress.clear),
        Effect.provide(installedStores(config.engine.stores)),
        Effect.provide(loggingLayer(config))
      )
  yield* printResult(json, report, verifyLines(report))
  if (report.differenceCount > 0) {
    return yield* new CommandFailed({ exitCode: 1, reason: `${report.differenceCount} differences` })
  }
})

export const verifyCommand = Command.make("verify", flags, (given) =>
  reportFailure(given.json, exitCodeOf)(runVerify(given))
).pipe(
  Command.withShortDescription("Compare the log with everything derived from it"),
  Command.withDescription(
    "Compare the log with the tables and the search, wallet by wallet, check that money is conserved, and " +
      "warn of rules of your own that do not let the engine's own facts pass. Changes nothing, unless it is to repair. " +
      "Exits with 1 when anything differs, with 3 when it could not compare; a warning changes neither."
  )
)
