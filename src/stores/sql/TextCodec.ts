/**
 * Texts as PostgreSQL sends them, read byte for byte.
 *
 * The driver reads a text that has U+FFFD in it by a decoder that takes U+FEFF at its
 * beginning for a mark of the byte order, and drops it. So the client has codecs of ours.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import { jsonCodec } from "./JsonCodec.ts"
import { timeCodec } from "./TimeCodec.ts"

/** The driver's own, but for the mark. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Up to here a loop over ASCII is faster than a call into the runtime, bytes. */
const shortBytes = 10

const decodeShort = (bytes: Uint8Array, offset: number, size: number): string | undefined => {
  let text = ""
  for (let at = offset; at < offset + size; at++) {
    const code = bytes[at]!
    if (code > 0x7f) return undefined
    text += String.fromCharCode(code)
  }
  return text
}

const read = (bytes: Uint8Array, offset: number, size: number): Result.Result<string, PgTypes.CodecError> => {
  const short = size > shortBytes ? undefined : decodeShort(bytes, offset, size)
  if (short !== undefined) return Result.succeed(short)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + offset, size).toString("utf8")
  // In the text itself, or in place of bytes that mean nothing.
  if (!text.includes("\ufffd")) return Result.succeed(text)
  try {
    return Result.succeed(strict.decode(bytes.subarray(offset, offset + size)))
  } catch {
    return Result.fail(new PgTypes.CodecError({ message: "invalid UTF-8 in a text" }))
  }
}

const textCodec: PgTypes.Codec<string> = {
  encode: (value) => PgTypes.encode(value, PgTypes.OID.text),
  write: (sink, value) => Result.succeed(sink.utf8(value)),
  decode: (bytes) => read(bytes, 0, bytes.length),
  read
}

/** A registry of one client's own: it learns our composite types, reads texts and JSON as they were written, and writes times exactly. */
export const makeTypes = (): PgTypes.Registry => {
  const types = PgTypes.makeRegistry()
  types.register(PgTypes.OID.text, textCodec)
  types.register(PgTypes.OID.varchar, textCodec)
  types.register(PgTypes.OID.json, jsonCodec(read), { arrayOid: PgTypes.OID.jsonArray })
  types.register(PgTypes.OID.timestamptz, timeCodec, { arrayOid: PgTypes.OID.timestamptzArray })
  return types
}
