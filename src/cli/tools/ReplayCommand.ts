/** `wallet replay`: rebuilds PostgreSQL from the log. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import { replay, replayWallet } from "../../engine/rebuild/Rebuild.ts"
import { storesLayer } from "../../engine/EngineStores.ts"
import * as Flags from "../Flags.ts"
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
import { searchReplayAt } from "./SearchReplay.ts"
import { searchReplayFinding, searchReplayLines, type SearchReplayRequest } from "./SearchReplayDocument.ts"
import {
  ReplayDocument,
  replayDocument,
  replayLines,
  ReplayProgressDocument,
  replayProgressDocument,
  type ReplayRequest
} from "./ReplayDocument.ts"
import { loadServiceConfig, type ServiceConfig } from "../ServiceConfig.ts"
import { findServicePlace, type ServicePlace } from "../ServicePlace.ts"

/** Flags that do not go together. */
class FlagsWrong extends Schema.TaggedError<FlagsWrong>()("FlagsWrong", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** Nobody is there to be asked. */
class ConfirmationNeeded extends Schema.TaggedError<ConfirmationNeeded>()("ConfirmationNeeded", {}) {
  override get message(): string {
    return "replay --erase removes every row before it writes them again: say --yes"
  }
}

const flags = {
  wallet: Flags.wallet("Replace the rows of this wallet alone, in one step"),
  from: Flag.String("from").pipe(
    Flag.withMetavar("POSITION"),
    Flag.withDescription("Begin behind this position of the log; leaves no mark to go on from"),
    Flag.filter(
      (text) => /^(?:0|[1-9][0-9]{0,18})$/.test(text),
      (text) => `${JSON.stringify(text)} is not a position`
    ),
    Flag.optional
  ),
  rebuild: Flag.Boolean("rebuild").pipe(
    Flag.withDescription("Replace the rows of every wallet, a few at a time; readers never see them missing"),
    Flag.withDefault(false)
  ),
  erase: Flag.Boolean("erase").pipe(
    Flag.withDescription("Remove all rows first, also those of another log, then write them as fast as they go"),
    Flag.withDefault(false)
  ),
  restart: Flag.Boolean("restart").pipe(
    Flag.withDescription("Begin at the start of the log, not where an earlier run was cut off"),
    Flag.withDefault(false)
  ),
  yes: Flag.Boolean("yes").pipe(Flag.withDescription("Do not ask before erasing"), Flag.withDefault(false)),
  target: Flag.Literals("target", ["persistence", "readModel"]).pipe(
    Flag.withDescription("What to rebuild; default: persistence. readModel: search, where it has an index of its own"),
    Flag.withDefault("persistence")
  ),
  deadLetters: Flag.Boolean("dead-letters").pipe(
    Flag.withDescription("Write the documents that the search index has refused anew, and rebuild nothing"),
    Flag.withDefault(false)
  ),
  dropOld: Flag.Boolean("drop-old").pipe(
    Flag.withDescription("Remove the search indexes that rebuilds have replaced, and rebuild nothing"),
    Flag.withDefault(false)
  ),
  takeOver: Flag.Boolean("take-over").pipe(
    Flag.withDescription("Rebuild search also where its indexes are another log's, which finds nothing any more"),
    Flag.withDefault(false)
  ),
  url: Flags.url,
  json: Flags.json
}

type ReplayFlags = Command.Command.Config.Infer<typeof flags>

const requestOf = Effect.fnUntraced(function* (given: ReplayFlags): Effect.fn.Return<ReplayRequest, FlagsWrong> {
  const { erase, rebuild, restart } = given
  const walletId = Option.getOrUndefined(given.wallet)
  const from = Option.getOrUndefined(given.from)
  const wrong = (reason: string) => new FlagsWrong({ reason })
  if (erase && rebuild) return yield* wrong("--erase and --rebuild are two ways: choose one")
  if (walletId !== undefined && (erase || restart || from !== undefined)) {
    return yield* wrong("--wallet replaces the rows of one wallet: it goes with --url and --json alone")
  }
  if (from !== undefined && (erase || restart))
    return yield* wrong("--from says where to begin: not with --erase or --restart")
  return {
    ...(walletId === undefined ? {} : { walletId }),
    ...(from === undefined ? {} : { from }),
    ...(erase ? { mode: "erase" as const } : rebuild ? { mode: "rebuild" as const } : {}),
    ...(restart ? { restart } : {})
  }
})

const searchRequestOf = Effect.fnUntraced(function* (
  given: ReplayFlags
): Effect.fn.Return<SearchReplayRequest | undefined, FlagsWrong> {
  const { deadLetters, dropOld, erase, rebuild, restart, takeOver } = given
  if (given.target !== "readModel" && !deadLetters && !dropOld && !takeOver) return undefined
  if (takeOver && given.target !== "readModel") {
    return yield* new FlagsWrong({ reason: "--take-over goes with --target readModel" })
  }
  const reason =
    "search is rebuilt whole, from where a run was cut off: --target readModel goes with --restart and --take-over"
  if (erase || rebuild || Option.isSome(given.wallet) || Option.isSome(given.from)) {
    return yield* new FlagsWrong({ reason })
  }
  if ((deadLetters && dropOld) || ((restart || takeOver) && (deadLetters || dropOld))) {
    return yield* new FlagsWrong({ reason: "--dead-letters, --drop-old and a rebuild: one at a time" })
  }
  if (deadLetters) return { task: "deadLetters" }
  if (dropOld) return { task: "dropOld" }
  return { task: "rebuild", ...(restart ? { restart } : {}), ...(takeOver ? { takeOver } : {}) }
})

/** `false`: the one who was asked has said no. */
const confirmed = Effect.fnUntraced(function* (given: ReplayFlags, where: string) {
  if (!given.erase || given.yes) return true
  const stdio = yield* Stdio.Stdio
  if (given.json || !(yield* stdio.stdinIsTerminal)) return yield* new ConfirmationNeeded()
  return yield* Prompt.run(
    Prompt.Confirm({
      message:
        `Erase every wallet, transaction, hold and transfer in ${where} and write them again from the log? ` +
        "Until that is done readers miss rows, and where the log is in the same database wallets take no commands."
    })
  )
})

const progressLine = (document: ProgressLine, millis: number): string => {
  const { events, from, head, position } = document
  const [done, total] = [Number(BigInt(position) - BigInt(from)), Number(BigInt(head) - BigInt(from))]
  const share = total <= 0 ? 100 : Math.min(100, Math.floor((done * 100) / total))
  const bar = "█".repeat(Math.floor(share / 5)).padEnd(20, "░")
  return (
    `replay: ${bar} ${share} %, ${events.toLocaleString("en")} events, position ${position}, ` +
    `${perSecond(events, millis)}${timeLeft(done, total, millis)}`
  )
}

const runHere = (
  { from, mode, restart, walletId }: ReplayRequest,
  onProgress: (document: ReplayProgressDocument) => Effect.Effect<void>
) => {
  const report =
    walletId === undefined
      ? replay({
          mode,
          restart,
          from: from === undefined ? undefined : BigInt(from),
          onProgress: (progress) => onProgress(replayProgressDocument(progress))
        })
      : replayWallet(walletId)
  return Effect.map(report, replayDocument)
}

const runAt = Effect.fnUntraced(function* (
  config: ServiceConfig,
  place: ServicePlace,
  request: ReplayRequest,
  onProgress: (document: ReplayProgressDocument) => Effect.Effect<void>
) {
  if (place._tag === "Here") {
    return yield* runHere(request, onProgress).pipe(
      Effect.provide(storesLayer(config.engine.stores)),
      Effect.provide(loggingLayer(config))
    )
  }
  return yield* runRemotely(place.service, {
    tool: "replay",
    path: "/v1/replay",
    body: { ...request },
    progress: ReplayProgressDocument,
    report: ReplayDocument,
    onProgress
  }).pipe(Effect.provide(FetchHttpClient.layer))
})

type ProgressLine = Pick<ReplayProgressDocument, "events" | "from" | "head" | "position">

/** Draws progress from now on. */
const progressBar = Effect.fnUntraced(function* (json: boolean) {
  const progress = yield* makeProgress(json)
  const started = yield* Clock.currentTimeMillis
  const show = Effect.fnUntraced(function* (document: ProgressLine) {
    yield* progress.show(progressLine(document, (yield* Clock.currentTimeMillis) - started))
  })
  return { show, clear: progress.clear }
})

const runSearchReplay = Effect.fnUntraced(function* (given: ReplayFlags, request: SearchReplayRequest) {
  const { json } = given
  const config = yield* loadServiceConfig
  const place = yield* findServicePlace(config, given.url)
  yield* notePlace(place, json)
  const progress = yield* progressBar(json)
  const document = yield* Effect.ensuring(searchReplayAt(config, place, request, progress.show), progress.clear)
  yield* printResult(json, document, searchReplayLines(document))
  const finding = searchReplayFinding(document)
  if (finding !== undefined) return yield* new CommandFailed({ exitCode: 1, reason: finding })
})

const notePlace = (place: ServicePlace, json: boolean) =>
  place._tag === "Service" && !json
    ? printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
    : Effect.void

const runReplay = Effect.fnUntraced(function* (given: ReplayFlags) {
  const { json } = given
  const search = yield* searchRequestOf(given)
  if (search !== undefined) return yield* runSearchReplay(given, search)
  const request = yield* requestOf(given)
  const config = yield* loadServiceConfig
  const place = yield* findServicePlace(config, given.url)
  const where = place._tag === "Service" ? `the service at ${place.service.baseUrl}` : "the database"
  if (!(yield* confirmed(given, where))) return yield* new CommandFailed({ exitCode: 1, reason: "nothing was erased" })
  yield* notePlace(place, json)
  const progress = yield* progressBar(json)
  const report = yield* Effect.ensuring(runAt(config, place, request, progress.show), progress.clear)
  yield* printResult(json, report, replayLines(report))
})

export const replayCommand = Command.make("replay", flags, (given) =>
  reportFailure(given.json, exitCodeOf)(runReplay(given))
).pipe(
  Command.withShortDescription("Rebuild PostgreSQL or search from the log"),
  Command.withDescription(
    "Rebuild PostgreSQL or, with --target readModel, the search index from the log. Without a flag it writes what is " +
      "missing and changes nothing else; a run that " +
      "was cut off goes on where it was. A rebuild of search fills new indexes while the ones that serve go on, compares " +
      "them, and puts them in their place at once. Works beside a running service and never appends to the log. Exits with 1 " +
      "when log and rows, or rows and search, do not fit together, with 3 when it could not go on."
  ),
  Command.withExamples([
    { command: "wallet replay", description: "Write what is missing" },
    { command: "wallet replay --wallet alice", description: "Replace the rows of one wallet" },
    { command: "wallet replay --erase --yes", description: "Everything from nothing, also after a change of the log" },
    { command: "wallet replay --target readModel", description: "New search indexes, without a gap for readers" }
  ])
)
