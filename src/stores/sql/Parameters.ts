/**
 * Parameters in PostgreSQL's binary format. Lists of values go as one array, however
 * many they are, so that one prepared statement takes any number.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"

const arrayOf =
  <A>(elementOid: number) =>
  (values: ReadonlyArray<A>): PgTypes.Parameter =>
    // Fails only for an element type without an array type; those below have one.
    Result.getOrThrow(PgTypes.array(values, elementOid))

export const texts = arrayOf<string | null>(PgTypes.OID.text)
export const uuids = arrayOf<string>(PgTypes.OID.uuid)
export const int4s = arrayOf<number>(PgTypes.OID.int4)
export const int8s = arrayOf<bigint>(PgTypes.OID.int8)

export const text = PgTypes.text
export const uuid = PgTypes.uuid
export const int4 = PgTypes.int4
export const int8 = PgTypes.int8
/** Milliseconds since the epoch. */
export const time = PgTypes.timestamptz
