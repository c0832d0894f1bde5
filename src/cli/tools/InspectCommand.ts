/** `wallet inspect`: one wallet across all stores, for whoever is on call. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { isId } from "../../domain/Limits.ts"
import { installedStores } from "../../engine/EngineStores.ts"
import { inspect } from "../../engine/Inspect.ts"
import { storesJson } from "../../http/InspectionDocuments.ts"
import * as Flags from "../Flags.ts"
import { InspectDocument, inspectFinding, inspectLines } from "./InspectDocument.ts"
import { loggingLayer } from "../Logging.ts"
import { CommandFailed, exitCodeOf, printNote, printResult, reportFailure } from "../Output.ts"
import { readRemotely } from "./RemoteTool.ts"
import { loadServiceConfig } from "../ServiceConfig.ts"
import { findServicePlace } from "../ServicePlace.ts"

/** No store has heard of it. */
class WalletUnknown extends Schema.TaggedError<WalletUnknown>()("WalletUnknown", { walletId: Schema.String }) {
  override get message(): string {
    return `no store knows wallet ${this.walletId}`
  }
}

const flags = {
  wallet: Argument.String("wallet").pipe(
    Argument.withDescription("The wallet's id"),
    Argument.filter(isId, (id) => `${JSON.stringify(id)} is not an id: 1 to 64 of A-Z a-z 0-9 _ -`)
  ),
  url: Flags.url,
  json: Flags.json
}

const runInspect = Effect.fnUntraced(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const config = yield* loadServiceConfig
  const place = yield* findServicePlace(config, given.url)
  if (place._tag === "Service" && !given.json) {
    yield* printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
  }
  const document = yield* place._tag === "Service"
    ? readRemotely(place.service, "inspect", `/v1/wallets/${given.wallet}/inspect`, InspectDocument).pipe(
        Effect.provide(FetchHttpClient.layer)
      )
    : inspect(given.wallet).pipe(
        Effect.map(storesJson),
        Effect.provide(installedStores(config.engine.stores)),
        Effect.provide(loggingLayer(config))
      )
  if (document.log.lastEvent === null && document.persistence.version === null) {
    return yield* new WalletUnknown({ walletId: given.wallet })
  }
  yield* printResult(given.json, document, inspectLines(document))
  const finding = inspectFinding(document)
  if (finding !== undefined) {
    yield* printNote(finding)
    return yield* new CommandFailed({ exitCode: 1, reason: finding })
  }
})

export const inspectCommand = Command.make("inspect", flags, (given) =>
  reportFailure(given.json, exitCodeOf)(runInspect(given))
).pipe(
  Command.withShortDescription("Show one wallet across all stores"),
  Command.withDescription(
    "Show one wallet in the log, in PostgreSQL and in search, side by side: versions, balances, lag, open holds, " +
      "transfers in flight, refusals; and its actor, where a service is asked. Reads only. Exits with 1 when no store " +
      "knows the wallet, or PostgreSQL has what the log has not."
  )
)
