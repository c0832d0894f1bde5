/**
 * Reads a file of movements row by row: CSV with a header, or JSONL (one object a
 * line). Every value comes as the text that stands in the file; numbers of JSONL too,
 * so that no amount passes through a float.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { parse, type Parser } from "csv-parse"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createReadStream } from "node:fs"
import { Transform, type TransformCallback } from "node:stream"
import { FileText, maxRowBytes } from "./FileText.ts"
import { parseObject } from "./JsonRow.ts"

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
  /** By column; what is no text is a value of JSON that no movement can have. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Rows that came together, in the order of the file. */
export interface FileRows {
  readonly rows: ReadonlyArray<FileRow>
  /** Empty lines among them. */
  readonly blank: number
  /** Bytes of the file read so far. */
  readonly bytes: number
}

export type FileFormat = "csv" | "jsonl"

export interface FileOptions {
  readonly format: FileFormat
  /** Of CSV, one character; `undefined`: a comma, or what the first line says (`sep=;`). */
  readonly delimiter: string | undefined
  /** As `TextDecoder` names it; `undefined`: UTF-8, or UTF-16 with its mark. */
  readonly encoding: string | undefined
  /** Lines at the beginning that are no rows and no header. */
  readonly skip: number
  /** What is wrong with the header of a CSV file. */
  readonly checkHeader: (names: ReadonlyArray<string>) => string | undefined
}

export const formatOf = (file: string): FileFormat => (/\.(?:jsonl|ndjson)$/i.test(file) ? "jsonl" : "csv")

const errorOf = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)))

/** A column that stands twice would hide the other one's values; columns without a name are told apart by their place. */
const headerOf = (header: ReadonlyArray<string>, options: FileOptions): Array<string> => {
  const names = header.map((name, index) => name.trim() || `(column ${index + 1})`)
  // It would be nobody's value: an assignment to it makes no property.
  if (names.includes("__proto__")) throw new Error("the header has a column __proto__, which is not read")
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`the header names the column ${twice} twice`)
  const wrong = options.checkHeader(names)
  if (wrong !== undefined) throw new Error(wrong)
  return names
}

const countOf = (text: string, part: string): number => text.split(part).length - 1

/**
 * Whether a value of several lines ends in the column in which it began, rows later: a
 * quote that stands in one row and one in another make all between them one value, by
 * the rules of CSV, and the money of these rows is gone. Of three columns or fewer
 * nothing can be said: there a comma or two are a sentence's.
 */
const holdsRows = (value: string, column: number, columns: number, delimiter: string): boolean => {
  if (columns < 4) return false
  const lines = value.split(lineBreak)
  const delimiters = lines.map((line) => countOf(line, delimiter))
  return (
    lines.length > 1 &&
    delimiters[0] === columns - 1 - column &&
    delimiters.at(-1) === column &&
    delimiters.slice(1, -1).every((count) => count === columns - 1)
  )
}

const lineBreak = /\r\n|\n|\r/

interface CsvRecord {
  readonly record: Readonly<Record<string, string>>
  readonly info: { readonly lines: number; readonly records: number }
}

/** Bytes in, `FileRows` out. */
abstract class RowTransform extends Transform {
  protected readonly text: FileText
  protected readonly options: FileOptions
  protected rows: Array<FileRow> = []
  private bytes = 0

  constructor(options: FileOptions) {
    super({ readableObjectMode: true, readableHighWaterMark: 2 })
    this.options = options
    this.text = new FileText(options)
  }

  protected abstract takeText(text: string, ended: boolean, done: (error?: Error) => void): void

  /** Empty lines since this was last asked. */
  protected abstract takeBlank(): number

  override _transform(chunk: Uint8Array, _: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length
    this.give(() => this.text.push(chunk), false, done)
  }

  override _flush(done: TransformCallback): void {
    this.give(() => this.text.end(), true, done)
  }

  private give(read: () => string, ended: boolean, done: TransformCallback): void {
    try {
      this.takeText(read(), ended, (error) => {
        if (error !== undefined) return done(error)
        const given: FileRows = { rows: this.rows, blank: this.takeBlank(), bytes: this.bytes }
        this.rows = []
        done(null, given)
      })
    } catch (cause) {
      done(errorOf(cause))
    }
  }
}

const wrongOf = (record: CsvRecord["record"], line: number, delimiter: string): Error | undefined => {
  const values = Object.entries(record)
  const found = values.findIndex(([, value], column) => holdsRows(value, column, values.length, delimiter))
  if (found < 0) return undefined
  return new Error(
    `line ${line}: the value of ${values[found]![0]} holds whole rows; a quote begins or ends it by mistake`
  )
}

class CsvRows extends RowTransform {
  private parser: Parser | undefined
  private blank = 0
  private endsLine = false
  private hasHeader = false
  /** As the parser counts them. */
  private lastLine = 0
  /** Lines that the parser has counted and that there are not. */
  private twice = 0
  /** Of a row that the parser takes and nobody meant. */
  private wrong: Error | undefined
  private ended = false

  protected override takeText(text: string, ended: boolean, done: (error?: Error) => void): void {
    if (this.parser === undefined && text === "" && !ended) return done()
    const parser = (this.parser ??= this.begin())
    if (text !== "") this.endsLine = text.endsWith("\n") || text.endsWith("\r")
    this.ended = ended
    const failed = (error: Error) => done(this.located(error))
    parser.once("error", failed)
    const taken = () => {
      parser.off("error", failed)
      done(this.wrong)
    }
    if (!ended) {
      parser.write(text, (error) => (error ? undefined : taken()))
      return
    }
    parser.once("end", () => {
      if (!this.hasHeader) return failed(new Error("it is empty"))
      taken()
    })
    parser.end(text)
  }

  protected override takeBlank(): number {
    // At the end the parser takes what is behind the last line's end for one more.
    const all = (this.parser?.info.empty_lines ?? 0) - (this.ended && this.endsLine ? 1 : 0)
    const since = all - this.blank
    this.blank = all
    return since
  }

  private begin(): Parser {
    const { delimiter } = this.options
    const said = this.text.delimiter
    if (said !== undefined && delimiter !== undefined && said !== delimiter) {
      throw new Error(`its first line says sep=${said}, and --delimiter ${delimiter}`)
    }
    const between = delimiter ?? said ?? ","
    const parser = parse({
      columns: (header: ReadonlyArray<string>) => {
        this.hasHeader = true
        this.countTwice(header)
        return headerOf(header, this.options)
      },
      delimiter: between,
      info: true,
      skip_empty_lines: true,
      max_record_size: maxRowBytes,
      on_record: (one: CsvRecord) => {
        this.takeRecord(one, between)
        return undefined
      }
    })
    // Nothing comes out of it; without this it would not end.
    return parser.resume()
  }

  private takeRecord({ info, record }: CsvRecord, delimiter: string): void {
    const severalLines = info.lines - this.lastLine > 1
    this.lastLine = info.lines
    if (severalLines) this.countTwice(Object.values(record))
    const line = info.lines + this.text.dropped - this.twice
    if (severalLines) this.wrong ??= wrongOf(record, line, delimiter)
    this.rows.push({ row: info.records, line, fields: record })
  }

  /** The parser takes each end of line inside of a value for two where it is CR and LF. */
  private countTwice(values: ReadonlyArray<string>): void {
    for (const value of values) this.twice += countOf(value, "\r\n")
  }

  /** The parser counts from the header, people from the file's first line. */
  private located(error: Error): Error {
    const more = this.text.dropped - this.twice
    if (more === 0) return error
    return new Error(error.message.replace(/\bline (\d+)/g, (_, line: string) => `line ${Number(line) + more}`))
  }
}

class JsonRows extends RowTransform {
  private row = 0
  private line = 0
  private blank = 0

  protected override takeText(text: string, _: boolean, done: (error?: Error) => void): void {
    const lines = text.split(/\r\n|\n|\r/)
    if (lines.at(-1) === "") lines.pop()
    for (const one of lines) {
      this.line += 1
      this.takeLine(one, this.line + this.text.dropped)
    }
    done()
  }

  protected override takeBlank(): number {
    const since = this.blank
    this.blank = 0
    return since
  }

  private takeLine(text: string, line: number): void {
    if (text.trim() === "") {
      this.blank += 1
      return
    }
    if (text.length > maxRowBytes) throw new Error(`line ${line}: has more than ${maxRowBytes} characters`)
    this.row += 1
    try {
      this.rows.push({ row: this.row, line, fields: parseObject(text) })
    } catch (cause) {
      throw new Error(`line ${line}: ${errorOf(cause).message}`, { cause })
    }
  }
}

/** The bytes of the file; a pipe has them once and has no places to read at. */
const readBytes = (file: string): Stream.Stream<Uint8Array, FileUnreadable> =>
  NodeStream.fromReadable<Uint8Array, FileUnreadable>({
    evaluate: () => createReadStream(file),
    onError: (cause) => new FileUnreadable({ file, reason: errorOf(cause).message }),
    chunkSize: 1
  })

/** What is another when the file was written to; `undefined`: it is a pipe, or not there. */
const findStamp = (file: string) =>
  Effect.gen(function* () {
    const { ino, mtime, size, type } = yield* (yield* FileSystem.FileSystem).stat(file)
    const parts = [size, Option.getOrUndefined(ino), Option.getOrUndefined(mtime)?.getTime()]
    return type === "File" ? parts.join() : undefined
  }).pipe(Effect.orElseSucceed(() => undefined))

/** The rows of the file, in its order, read once and as they are asked for. Fails at its end if it has changed meanwhile. */
export const readRows = (
  file: string,
  options: FileOptions
): Stream.Stream<FileRows, FileUnreadable, FileSystem.FileSystem> => {
  const rows = readBytes(file).pipe(
    NodeStream.pipeThroughDuplex<FileRows, FileUnreadable>({
      evaluate: () => (options.format === "csv" ? new CsvRows(options) : new JsonRows(options)),
      onError: (cause) => new FileUnreadable({ file, reason: errorOf(cause).message }),
      chunkSize: 1
    })
  )
  return Stream.unwrap(
    Effect.map(findStamp(file), (before) => {
      const same = Effect.flatMap(findStamp(file), (after) =>
        after === before
          ? Effect.void
          : Effect.fail(new FileUnreadable({ file, reason: "it has changed while it was read" }))
      )
      return Stream.concat(rows, Stream.drain(Stream.fromEffect(same)))
    })
  )
}
