/**
 * The movements of a file between reading and booking, in a temporary file that nobody
 * else can read and that goes with its process. What is booked is so what was checked,
 * though the file may be a pipe, or change meanwhile; and a file that runs from newest to
 * oldest can be booked from its end.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { parseJson } from "../../domain/Json.ts"
import { noMetadata } from "../../domain/Limits.ts"
import type { Metadata } from "../../domain/Limits.ts"
import { FileUnreadable } from "./MovementFile.ts"

/** A movement that is to be booked, and where it stands in the file. */
export interface SpooledMovement {
  /** Counts what is in the spool, from 0. */
  readonly index: number
  readonly row: number
  readonly line: number
  readonly walletId: string
  /** Minor units, below 0 for a debit, never 0. */
  readonly signed: bigint
  readonly balanceAfter: bigint | undefined
  readonly reference: string | null
  readonly metadata: Metadata
  readonly effectiveAt: number | null
  readonly key: string
}

/** Bytes of one write or read. */
const blockBytes = 256 * 1024

const newline = "\n".charCodeAt(0)

type Line = [
  index: number,
  row: number,
  line: number,
  walletId: string,
  signed: string,
  balanceAfter: string | null,
  reference: string | null,
  metadata: Metadata | null,
  effectiveAt: number | null,
  key: string
]

const write = (one: SpooledMovement): string => {
  const { balanceAfter, effectiveAt, index, key, line, metadata, reference, row, signed, walletId } = one
  const balance = balanceAfter === undefined ? null : String(balanceAfter)
  const kept = metadata === noMetadata ? null : metadata
  const parts: Line = [index, row, line, walletId, String(signed), balance, reference, kept, effectiveAt, key]
  return `${JSON.stringify(parts)}\n`
}

const read = (text: string): SpooledMovement => {
  const [index, row, line, walletId, signed, balance, reference, metadata, effectiveAt, key] = parseJson(text) as Line
  return {
    index,
    row,
    line,
    walletId,
    signed: BigInt(signed),
    balanceAfter: balance === null ? undefined : BigInt(balance),
    reference,
    metadata: metadata ?? noMetadata,
    effectiveAt,
    key
  }
}

const linesOf = (bytes: Buffer): Array<SpooledMovement> =>
  bytes
    .toString("utf8")
    .split("\n")
    .filter((text) => text !== "")
    .map(read)

export interface Spool {
  readonly count: number
  readonly add: (movement: Omit<SpooledMovement, "index">) => void
  /** Writes what has gathered: to be called every now and then, as memory has it until then. */
  readonly flush: Effect.Effect<void, FileUnreadable>
  /** All movements in pages, from the first or from the last. */
  readonly read: (order: "forward" | "backward") => Stream.Stream<ReadonlyArray<SpooledMovement>, FileUnreadable>
}

/** `source`: the file whose movements these are, for messages. */
export const makeSpool = Effect.fnUntraced(function* (source: string) {
  const named = Effect.mapError(
    (error: { readonly message: string }) =>
      new FileUnreadable({ file: source, reason: `the temporary copy of its movements: ${error.message}` })
  )
  const files = yield* FileSystem.FileSystem
  const folder = yield* named(files.makeTempDirectoryScoped({ prefix: "wallet-import-" }))
  const file = yield* named(files.open(`${folder}/movements`, { flag: "wx+", mode: 0o600 }))
  // What is open needs no name, where the system has it so; then nothing is left behind, however the process ends.
  yield* Effect.ignore(files.remove(`${folder}/movements`))
  let count = 0
  let size = 0
  let texts: Array<string> = []

  const flush = Effect.suspend(() => {
    if (texts.length === 0) return Effect.void
    const bytes = Buffer.from(texts.join(""))
    texts = []
    size += bytes.length
    return named(file.writeAll(bytes))
  })

  const readAt = Effect.fnUntraced(function* (offset: number, length: number) {
    yield* named(file.seek(BigInt(offset), "start"))
    const blocks: Array<Uint8Array> = []
    for (let had = 0; had < length;) {
      const block = Option.getOrUndefined(yield* named(file.readAlloc(length - had)))
      if (block === undefined) break
      blocks.push(block)
      had += block.length
    }
    return Buffer.concat(blocks)
  })

  /** `rest`: the beginning of a line whose end is in the next block. */
  const forward = ({ offset, rest }: { readonly offset: number; readonly rest: Buffer }) =>
    Effect.gen(function* () {
      if (offset >= size) return undefined
      const block = Buffer.concat([rest, yield* readAt(offset, Math.min(blockBytes, size - offset))])
      const end = block.lastIndexOf(newline) + 1
      const next = { offset: offset + block.length - rest.length, rest: block.subarray(end) }
      return [linesOf(block.subarray(0, end)), next] as const
    })

  /** `rest`: the end of a line whose beginning is in the block before. */
  const backward = ({ offset, rest }: { readonly offset: number; readonly rest: Buffer }) =>
    Effect.gen(function* () {
      if (offset <= 0) return undefined
      const from = Math.max(0, offset - blockBytes)
      const block = Buffer.concat([yield* readAt(from, offset - from), rest])
      const begin = from === 0 ? 0 : block.indexOf(newline) + 1
      const next = { offset: from, rest: block.subarray(0, begin) }
      return [linesOf(block.subarray(begin)).reverse(), next] as const
    })

  const empty = Buffer.alloc(0)
  const spool: Spool = {
    get count() {
      return count
    },
    add: (movement) => {
      texts.push(write({ ...movement, index: count }))
      count += 1
    },
    flush,
    read: (order) =>
      order === "forward"
        ? Stream.unfold({ offset: 0, rest: empty }, forward)
        : Stream.unfold({ offset: size, rest: empty }, backward)
  }
  return spool
})
