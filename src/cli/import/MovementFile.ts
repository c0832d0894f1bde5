/**
 * Reads a file of movements row by row: CSV with a header, or JSONL (one object a
 * line). Every value comes as the text that stands in the file; numbers of JSONL too,
 * so that no amount passes through a float.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { type CsvError, parse } from "csv-parse"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** The file cannot be read, or is not of its format. */
export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be read: ${this.reason}`
  }
}

export interface FileRow {
  /** Counts rows of data from 1. */
  readonly row: number
  /** Line of the file on which the row ends, from 1. */
  readonly line: number
  /** Bytes of the file read so far. */
  readonly bytes: number
  readonly fields: Readonly<Record<string, string>>
}

export type FileFormat = "csv" | "jsonl"

/** One row of a bank's file is some hundred bytes; more than this is a stray quote. */
const maxRowBytes = 64 * 1024

export const formatOf = (file: string): FileFormat => (/\.(?:jsonl|ndjson)$/i.test(file) ? "jsonl" : "csv")

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

interface CsvRecord {
  readonly record: Readonly<Record<string, string>>
  readonly info: { readonly lines: number; readonly records: number; readonly bytes: number }
}

/** A column that stands twice would hide the other one's values. */
const checkHeader = (header: ReadonlyArray<string>): Array<string> => {
  const names = header.map((name) => name.trim())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`the header names the column ${twice} twice`)
  return names
}

const csvRows = (file: string, delimiter: string) => (bytes: Stream.Stream<Uint8Array, FileUnreadable>) =>
  bytes.pipe(
    NodeStream.pipeThroughDuplex<CsvRecord, FileUnreadable>({
      evaluate: () =>
        parse({
          columns: checkHeader,
          bom: true,
          delimiter,
          info: true,
          skip_empty_lines: true,
          max_record_size: maxRowBytes
        }),
      onError: (cause) => new FileUnreadable({ file, reason: reasonOf(cause as CsvError) })
    }),
    Stream.map(({ info, record }): FileRow => ({
      row: info.records,
      line: info.lines,
      bytes: info.bytes,
      fields: record
    }))
  )

/** Texts as they are, numbers as they stand in the source, the rest is no value of a movement. */
const textOf = (key: string, value: unknown, source: string | undefined): unknown => {
  if (key === "" || typeof value === "string") return value
  if (typeof value === "number" && source !== undefined) return source
  if (value === null) return ""
  throw new Error(`the value of ${key} is neither a text nor a number`)
}

/** The third parameter is "JSON.parse source text access", which the TypeScript library does not know yet. */
type SourceReviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

const parseLine = (line: string): Result.Result<Readonly<Record<string, string>>, string> =>
  Result.try({
    try: () => {
      const reviver: SourceReviver = (key, value, context) => textOf(key, value, context?.source)
      const value: unknown = JSON.parse(line, reviver as (key: string, value: unknown) => unknown)
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("is not an object")
      return value as Readonly<Record<string, string>>
    },
    catch: reasonOf
  })

const jsonRows = (file: string) => (bytes: Stream.Stream<Uint8Array, FileUnreadable>) => {
  const count = { row: 0, line: 0, bytes: 0 }
  return bytes.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.mapEffect((text): Effect.Effect<FileRow | undefined, FileUnreadable> => {
      count.line += 1
      count.bytes += Buffer.byteLength(text) + 1
      const { bytes: read, line } = count
      if (text.trim() === "") return Effect.undefined
      count.row += 1
      const parsed = parseLine(text)
      return Result.isSuccess(parsed)
        ? Effect.succeed({ row: count.row, line, bytes: read, fields: parsed.success })
        : Effect.fail(new FileUnreadable({ file, reason: `line ${line}: ${parsed.failure}` }))
    }),
    Stream.filter((row) => row !== undefined)
  )
}

export interface FileOptions {
  readonly format: FileFormat
  /** Of CSV, one character. */
  readonly delimiter: string
}

/** The rows of the file, in its order, read as they are asked for. */
export const readRows = (
  file: string,
  options: FileOptions
): Stream.Stream<FileRow, FileUnreadable, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (files) => {
      const bytes = files
        .stream(file)
        .pipe(Stream.mapError((error) => new FileUnreadable({ file, reason: error.reason.message })))
      return options.format === "csv" ? csvRows(file, options.delimiter)(bytes) : jsonRows(file)(bytes)
    })
  )
