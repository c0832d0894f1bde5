/** Values of `json` as PostgreSQL keeps them: the driver's own reader gives their names to V8 as they are written (`domain/Json.ts`). */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import { parseJson } from "../../domain/Json.ts"

/** The `read` of a codec of texts. */
type ReadText = (bytes: Uint8Array, offset: number, size: number) => Result.Result<string, PgTypes.CodecError>

const valueOf = (text: string): Result.Result<unknown, PgTypes.CodecError> => {
  try {
    return Result.succeed(parseJson(text))
  } catch (error) {
    return Result.fail(new PgTypes.CodecError({ message: `json: ${String(error)}` }))
  }
}

/** Written as the driver does. */
export const jsonCodec = (readText: ReadText): PgTypes.Codec<unknown> => {
  const read = (bytes: Uint8Array, offset: number, size: number): Result.Result<unknown, PgTypes.CodecError> =>
    Result.flatMap(readText(bytes, offset, size), valueOf)
  return {
    encode: (value) => PgTypes.encode(value, PgTypes.OID.json),
    decode: (bytes) => read(bytes, 0, bytes.length),
    read
  }
}
