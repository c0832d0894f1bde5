/**
 * What a command prints: its result for people or, with `--json`, one JSON document
 * on standard output; progress and notes on standard error; a failure as one line and
 * an exit code.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { withoutCredentials } from "./Secrets.ts"

/** A command has failed and has said so; the process ends with `exitCode`. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  exitCode: Schema.Int,
  reason: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = this.exitCode
  override readonly [Runtime.errorReported] = false

  override get message(): string {
    return this.reason
  }
}

/** JSON in which integers of any size are decimal texts. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one))

/** The result of a command: lines for people, one document for programs. */
export const printResult = (json: boolean, value: unknown, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  json ? Console.log(toJson(value)) : Effect.forEach(lines, (line) => Console.log(line), { discard: true })

/** Something people should know that is not the result. */
export const printNote = (text: string): Effect.Effect<void> => Console.error(`wallet: ${text}`)

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").trim()

interface Described {
  readonly _tag?: string
  readonly message: string
}

const fail = (
  json: boolean,
  exitCode: number,
  { _tag = "Error", message }: Described
): Effect.Effect<never, CommandFailed> => {
  const reason = withoutCredentials(oneLine(message === "" ? _tag : message))
  const document = json ? Console.log(toJson({ error: { code: _tag, message: reason } })) : Effect.void
  const printed = Effect.andThen(document, printNote(reason))
  return Effect.andThen(printed, Effect.fail(new CommandFailed({ exitCode, reason })))
}

/** Says what went wrong, in one line, and makes the process end with 1, or as `exitCodeOf` says. */
export const reportFailure =
  (json: boolean, exitCodeOf: (error: Described) => number = () => 1) =>
  <A, E extends Described, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, CommandFailed, R> =>
    Effect.catch(command, (error): Effect.Effect<never, CommandFailed> =>
      error instanceof CommandFailed ? Effect.fail(error) : fail(json, exitCodeOf(error), error)
    )

export interface Progress {
  /** Replaces the line, at most ten times a second. */
  readonly show: (text: string) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

const quiet: Progress = { show: () => Effect.void, clear: Effect.void }

const redrawMillis = 100
const eraseLine = "\r\u001B[2K"

/** A line on standard error that is drawn over itself; nothing where that is no terminal, or with `--json`. */
export const makeProgress = Effect.fnUntraced(function* (
  json: boolean
): Effect.fn.Return<Progress, never, Stdio.Stdio> {
  const stdio = yield* Stdio.Stdio
  if (json || !(yield* stdio.stderrIsTerminal)) return quiet
  const write = (text: string) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr({ endOnDone: false })))
  let drawnAt = -redrawMillis
  return {
    show: Effect.fnUntraced(function* (text: string) {
      const now = yield* Clock.currentTimeMillis
      if (now - drawnAt < redrawMillis) return
      drawnAt = now
      yield* write(eraseLine + text)
    }),
    clear: write(eraseLine)
  }
})

/** `1 wallet`, `2 wallets`. */
export const counted = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`

/** `12345` per second and the like, for progress lines. */
export const perSecond = (count: number, millis: number): string =>
  `${Math.round((count * 1000) / Math.max(millis, 1)).toLocaleString("en")}/s`

/** Seconds to go at the rate so far, as text; empty before anything is known. */
export const timeLeft = (done: number, total: number, millis: number): string => {
  if (done <= 0 || total <= done) return ""
  const seconds = Math.ceil(((total - done) * millis) / done / 1000)
  return seconds < 90 ? `, ${seconds} s left` : `, ${Math.ceil(seconds / 60)} min left`
}

/** Failures that a wallet, the log or its rows are to blame for: the tool's answer is bad. */
const findings: ReadonlySet<string> = new Set([
  "ReplayRefused",
  "ReplayDiverged",
  "RebuildAhead",
  "RebuildForeign",
  "RebuildWrong",
  "LogMismatch",
  "LogPutBack",
  "StoreAheadOfLog",
  "WalletUnknown"
])

/** The command was called wrongly. */
const usage: ReadonlySet<string> = new Set([
  "FlagsWrong",
  "ConfigurationWrong",
  "SearchMisconfigured",
  "ConfirmationNeeded"
])

/**
 * With what `verify`, `replay` and `inspect` end: 1, they have done their work and the
 * answer is bad; 2, they were called wrongly; 3, they could not do it. By the failure's
 * tag; `code`: the tag of the service's own failure.
 */
export const exitCodeOf = ({ _tag = "", code = "" }: { readonly _tag?: string; readonly code?: string }): number => {
  if (usage.has(_tag) || code === "InvalidRequest") return 2
  return findings.has(_tag) || findings.has(code) ? 1 : 3
}
