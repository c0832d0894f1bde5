/** The report of `replay` as a document: what `--json` prints and what the service replies. */
import * as Schema from "effect/Schema"
import type { ReplayProgress, ReplayReport } from "../../engine/rebuild/Rebuild.ts"
import { counted } from "../Output.ts"
import { WalletId } from "../Flags.ts"

const Mode = Schema.Literals(["catchUp", "rebuild", "erase"])

export const ReplayDocument = Schema.Struct({
  mode: Mode,
  walletId: Schema.NullOr(Schema.String),
  logId: Schema.String,
  from: Schema.String,
  position: Schema.String,
  resumed: Schema.Boolean,
  events: Schema.Number,
  written: Schema.Number,
  refused: Schema.Number,
  durationMillis: Schema.Number
})

export type ReplayDocument = typeof ReplayDocument.Type

export const ReplayProgressDocument = Schema.Struct({
  position: Schema.String,
  from: Schema.String,
  head: Schema.String,
  events: Schema.Number,
  written: Schema.Number
})

export type ReplayProgressDocument = typeof ReplayProgressDocument.Type

/** A position of the log: a whole number, which may be larger than a `number` can hold. */
const Position = Schema.String.check(Schema.isPattern(/^(?:0|[1-9][0-9]{0,18})$/))

/** What the service may be asked for. */
export const ReplayRequest = Schema.Struct({
  mode: Schema.optionalKey(Mode),
  walletId: Schema.optionalKey(WalletId),
  from: Schema.optionalKey(Position),
  restart: Schema.optionalKey(Schema.Boolean)
})

export type ReplayRequest = typeof ReplayRequest.Type

export const replayDocument = (report: ReplayReport): ReplayDocument => ({
  ...report,
  from: String(report.from),
  position: String(report.position)
})

export const replayProgressDocument = (progress: ReplayProgress): ReplayProgressDocument => ({
  ...progress,
  position: String(progress.position),
  from: String(progress.from),
  head: String(progress.head)
})

/** For people: what was done. */
export const replayLines = (report: ReplayDocument): ReadonlyArray<string> => {
  const { durationMillis, events, from, mode, position, refused, resumed, walletId, written } = report
  const seconds = (durationMillis / 1000).toFixed(1)
  const rate = Math.round((events * 1000) / Math.max(durationMillis, 1)).toLocaleString("en")
  const what =
    walletId === null
      ? `replayed ${counted(events, "event")}${resumed ? ` from position ${from} on, where it was cut off` : ""}`
      : `replaced the rows of wallet ${walletId} by ${counted(events, "event")}`
  const done =
    mode === "catchUp" ? `${counted(written, "event")} had been missing` : `${counted(written, "event")} written`
  return [
    `${what} in ${seconds} s (${rate}/s): ${done}; up to position ${position} of log ${report.logId}`,
    ...(refused > 0
      ? [`${counted(refused, "event")} refused again by a rule of the database, as reversed in the log`]
      : [])
  ]
}
