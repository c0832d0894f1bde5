/**
 * From the bytes of a file to its text, strictly: a byte that its encoding does not have
 * is refused with its line and never becomes a replacement character. Works on whole
 * lines, so that no letter is cut; knows the marks of UTF-8 and UTF-16 at the beginning.
 */

/** One row of a bank's file is some hundred bytes; more than this is a stray quote. */
export const maxRowBytes = 64 * 1024

const newline = "\n".charCodeAt(0)
const carriageReturn = "\r".charCodeAt(0)

interface Mark {
  readonly encoding: string
  readonly bytes: ReadonlyArray<number>
}

const marks: ReadonlyArray<Mark> = [
  { encoding: "utf-8", bytes: [0xef, 0xbb, 0xbf] },
  { encoding: "utf-16le", bytes: [0xff, 0xfe] },
  { encoding: "utf-16be", bytes: [0xfe, 0xff] }
]

/** The name under which `TextDecoder` knows it; `undefined`: it does not. */
export const encodingOf = (label: string): string | undefined => {
  try {
    return new TextDecoder(label).encoding
  } catch {
    return undefined
  }
}

const lineEnd = /\r\n|\n|\r/g

/** How many lines end in `text`. */
const countLines = (text: string): number => {
  let lines = 0
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1
  return lines > 0 || !text.includes("\r") ? lines : (text.match(lineEnd)?.length ?? 0)
}

/** Bytes come in, text comes out, as far as lines are whole. Throws an `Error` that says what is wrong and where. */
export class FileText {
  private readonly asked: string | undefined
  private decoder: TextDecoder | undefined
  private rest: Buffer = Buffer.alloc(0)
  /** Lines given out or dropped so far. */
  private lines = 0
  private toSkip: number
  private begun = false
  /** `sep=;` in the first line, as spreadsheets write it for themselves. */
  delimiter: string | undefined
  /** Of the lines at the beginning that are no rows. */
  dropped = 0

  constructor(options: { readonly encoding: string | undefined; readonly skip: number }) {
    this.asked = options.encoding
    this.toSkip = options.skip
  }

  push(bytes: Uint8Array): string {
    this.rest = this.rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.rest, bytes])
    const decoder = this.decoderOf(false)
    if (decoder === undefined) return ""
    const end = this.lastLineEnd(decoder.encoding)
    if (end === 0) {
      if (this.rest.length > maxRowBytes) throw new Error(`line ${this.lines + 1}: has more than ${maxRowBytes} bytes`)
      return ""
    }
    const whole = this.rest.subarray(0, end)
    this.rest = this.rest.subarray(end)
    return this.textOf(decoder, whole)
  }

  /** What is left when the file has ended. */
  end(): string {
    const decoder = this.decoderOf(true)
    const last = this.rest
    this.rest = Buffer.alloc(0)
    return decoder === undefined ? "" : this.textOf(decoder, last)
  }

  private decoderOf(ended: boolean): TextDecoder | undefined {
    if (this.decoder !== undefined) return this.decoder
    if (!ended && this.rest.length < 3) return undefined
    const mark = marks.find(({ bytes }) => bytes.every((byte, index) => this.rest[index] === byte))
    if (mark !== undefined && this.asked !== undefined && this.asked !== mark.encoding) {
      throw new Error(`it begins with the mark of ${mark.encoding}, and --encoding says ${this.asked}`)
    }
    if (mark !== undefined) this.rest = this.rest.subarray(mark.bytes.length)
    this.decoder = new TextDecoder(mark?.encoding ?? this.asked ?? "utf-8", { fatal: true, ignoreBOM: true })
    return this.decoder
  }

  /** Behind the last whole line of what is there; 0: there is none. A line may end with CR alone, if nothing follows. */
  private lastLineEnd(encoding: string): number {
    const { rest } = this
    const unit = encoding.startsWith("utf-16") ? 2 : 1
    const low = encoding === "utf-16be" ? 1 : 0
    const find = (byte: number, before: number): number => {
      for (let at = before - unit; at >= 0; at -= unit) {
        if (rest[at + low] === byte && (unit === 1 || rest[at + 1 - low] === 0)) return at
      }
      return -1
    }
    const size = rest.length - (rest.length % unit)
    const feed = find(newline, size)
    if (feed >= 0) return feed + unit
    const bare = find(carriageReturn, size - unit)
    return bare < 0 ? 0 : bare + unit
  }

  private textOf(decoder: TextDecoder, bytes: Buffer): string {
    const text = this.decode(decoder, bytes)
    const kept = this.withoutBeginning(text)
    this.lines += countLines(text)
    return kept
  }

  private decode(decoder: TextDecoder, bytes: Buffer): string {
    try {
      return decoder.decode(bytes)
    } catch {
      throw new Error(`line ${this.lines + 1 + this.soundLines(decoder, bytes)}: ${this.advice(decoder)}`)
    }
  }

  /** How many lines there are before the first that does not decode. */
  private soundLines(decoder: TextDecoder, bytes: Buffer): number {
    const unit = decoder.encoding.startsWith("utf-16") ? 2 : 1
    let lines = 0
    let from = 0
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) {
      const end = at + (unit === 2 && decoder.encoding === "utf-16le" ? 2 : 1)
      if ((end - from) % unit !== 0) continue
      try {
        if (!decoder.decode(bytes.subarray(from, end)).endsWith("\n")) continue
      } catch {
        return lines
      }
      lines += 1
      from = end
    }
    return lines
  }

  private advice(decoder: TextDecoder): string {
    return decoder.encoding === "utf-8" && this.asked === undefined
      ? "is not UTF-8; name what it is by --encoding, like windows-1252"
      : `is not ${decoder.encoding}`
  }

  /** Without the lines to skip, and the first one where it only names the delimiter. */
  private withoutBeginning(text: string): string {
    let from = 0
    if (!this.begun && text !== "") {
      this.begun = true
      const hint = /^"?sep=([^\r\n])"?(?:\r\n|\n|\r|$)/i.exec(text)
      if (hint !== null) {
        this.delimiter = hint[1]
        from = this.drop(hint[0].length)
      }
    }
    while (this.toSkip > 0 && from < text.length) {
      lineEnd.lastIndex = from
      from = lineEnd.test(text) ? lineEnd.lastIndex : text.length
      this.drop(from)
    }
    lineEnd.lastIndex = 0
    return from === 0 ? text : text.slice(from)
  }

  private drop(upTo: number): number {
    this.dropped += 1
    this.toSkip -= 1
    return upTo
  }
}
