/** Reports of `replay --target readModel` as documents: what `--json` prints and what the service replies. */
import * as Schema from "effect/Schema"
import type { DeadLetterReport } from "../../engine/rebuild/DeadLetters.ts"
import type { SearchProgress, SearchRebuildReport } from "../../engine/rebuild/SearchRebuild.ts"
import { counted } from "../Output.ts"

const target = Schema.Literal("readModel")

const RebuildDocument = Schema.Struct({
  target,
  task: Schema.Literal("rebuild"),
  logId: Schema.String,
  from: Schema.String,
  position: Schema.String,
  resumed: Schema.Boolean,
  events: Schema.Number,
  documents: Schema.Number,
  deadLetters: Schema.Number,
  waiting: Schema.Number,
  unreadable: Schema.Array(Schema.String),
  dropped: Schema.Number,
  durationMillis: Schema.Number
})

const DeadLettersDocument = Schema.Struct({
  target,
  task: Schema.Literal("deadLetters"),
  letters: Schema.Number,
  arrived: Schema.Number,
  gone: Schema.Number,
  remaining: Schema.Number
})

const DropDocument = Schema.Struct({ target, task: Schema.Literal("dropOld"), dropped: Schema.Number })

/** There is nothing to do. */
const NoteDocument = Schema.Struct({ target, task: Schema.Literal("none"), note: Schema.String })

export const SearchReplayDocument = Schema.Union([RebuildDocument, DeadLettersDocument, DropDocument, NoteDocument])

export type SearchReplayDocument = typeof SearchReplayDocument.Type

/** What the service may be asked for. */
export const SearchReplayRequest = Schema.Struct({
  task: Schema.Literals(["rebuild", "deadLetters", "dropOld"]),
  restart: Schema.optionalKey(Schema.Boolean),
  takeOver: Schema.optionalKey(Schema.Boolean)
})

export type SearchReplayRequest = typeof SearchReplayRequest.Type

export const SearchProgressDocument = Schema.Struct({
  position: Schema.String,
  from: Schema.String,
  head: Schema.String,
  events: Schema.Number,
  documents: Schema.Number
})

export type SearchProgressDocument = typeof SearchProgressDocument.Type

export const searchProgressDocument = (progress: SearchProgress): SearchProgressDocument => ({
  ...progress,
  position: String(progress.position),
  from: String(progress.from),
  head: String(progress.head)
})

export const rebuildDocument = (report: SearchRebuildReport): SearchReplayDocument => ({
  ...report,
  target: "readModel",
  task: "rebuild",
  from: String(report.from),
  position: String(report.position)
})

export const deadLettersDocument = (report: DeadLetterReport): SearchReplayDocument => ({
  ...report,
  target: "readModel",
  task: "deadLetters"
})

export const dropDocument = (dropped: number): SearchReplayDocument => ({
  target: "readModel",
  task: "dropOld",
  dropped
})

const rebuildLines = (document: typeof RebuildDocument.Type): ReadonlyArray<string> => {
  const { deadLetters, documents, dropped, durationMillis, events, from, logId, position } = document
  const rate = Math.round((events * 1000) / Math.max(durationMillis, 1)).toLocaleString("en")
  const where = document.resumed ? ` from position ${from} on, where it was cut off` : ""
  return [
    `search rebuilt from ${counted(events, "event")}${where} in ${(durationMillis / 1000).toFixed(1)} s (${rate}/s): ` +
      `${counted(documents, "document")} written; up to position ${position} of log ${logId}`,
    ...(document.waiting > 0
      ? [`${counted(document.waiting, "event")} that PostgreSQL has not yet: a running service follows them`]
      : []),
    ...(deadLetters > 0 ? [`${counted(deadLetters, "document")} refused by the index: wallet verify names them`] : []),
    ...document.unreadable.map((reason) => `passed over: ${reason}`),
    ...(dropped > 0 ? [`${counted(dropped, "index set")} of earlier rebuilds removed`] : []),
    "the index set that served before stays until the next rebuild, or: wallet replay --target readModel --drop-old"
  ]
}

/** For people: what was done. */
export const searchReplayLines = (document: SearchReplayDocument): ReadonlyArray<string> => {
  switch (document.task) {
    case "rebuild":
      return rebuildLines(document)
    case "deadLetters":
      return [
        `${counted(document.letters, "dead letter")}: ${document.arrived} written, ${document.gone} of which there is ` +
          `nothing to show any more, ${document.remaining} left`
      ]
    case "dropOld":
      return [`${counted(document.dropped, "index set")} removed`]
    case "none":
      return [document.note]
  }
}

/** Why the process ends with 1; `undefined`: it does not. */
export const searchReplayFinding = (document: SearchReplayDocument): string | undefined =>
  document.task === "deadLetters" && document.remaining > 0
    ? `${counted(document.remaining, "document")} still refused by the index: wallet verify names them`
    : undefined
