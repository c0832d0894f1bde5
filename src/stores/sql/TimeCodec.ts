/**
 * Times as PostgreSQL takes them, to the millisecond in every year up to 9999.
 *
 * The driver multiplies milliseconds since 1970 as a double: from the year 2255 on its microseconds are
 * rounded, and a time asked for is not the one that a column has. So the client has a codec of ours.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"

/** PostgreSQL counts microseconds from 2000-01-01. */
const epochMillis = 946_684_800_000

const twoTo32 = 4_294_967_296
/** Upper halves of integers that a double has, of either sign. */
const exactHigh = 0x20_0000
const binary = 1

const microsOf = (millis: number): bigint => BigInt(millis - epochMillis) * 1_000n

const encode = (millis: number): Result.Result<Uint8Array, PgTypes.CodecError> => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(microsOf(millis))
  return Result.succeed(bytes)
}

const int32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

const read = (bytes: Uint8Array, offset: number, size: number): Result.Result<Date, PgTypes.CodecError> => {
  const high = int32(bytes, offset)
  if (size !== 8 || high < -exactHigh || high >= exactHigh) {
    const far = PgTypes.decode(bytes.subarray(offset, offset + size), PgTypes.OID.timestamptz, binary)
    return far as Result.Result<Date, PgTypes.CodecError>
  }
  const micros = high * twoTo32 + (int32(bytes, offset + 4) >>> 0)
  return Result.succeed(new Date(Math.trunc(micros / 1_000) + epochMillis))
}

/** Written from whole milliseconds since 1970, read as a `Date`, as the driver does. */
export const timeCodec: PgTypes.Codec<number | Date> = {
  encode: (value) => encode(Number(value)),
  write: (sink, value) => Result.succeed(sink.bigInt64(microsOf(Number(value)))),
  decode: (bytes) => read(bytes, 0, bytes.length),
  read
}
