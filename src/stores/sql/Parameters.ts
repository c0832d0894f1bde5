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
const bigints = arrayOf<bigint>(PgTypes.OID.int8)
export const int8s = (values: ReadonlyArray<bigint | number>): PgTypes.Parameter => bigints(values.map(BigInt))

export const text = PgTypes.text
export const uuid = PgTypes.uuid
export const int4 = PgTypes.int4
export const int8 = (value: bigint | number): PgTypes.Parameter => PgTypes.int8(BigInt(value))
/** Milliseconds since the epoch. */
export const time = PgTypes.timestamptz

/**
 * An id's other case is that of ASCII, as the indexes have it: a parameter has the collation of the database, and in a
 * Turkish one the small letter of `I` is another.
 */
export const lower = (placeholder: string): string => `lower(${placeholder} collate "C")`

/** The conditions of a list query and their parameters, as far as the query has them. */
export class Conditions {
  readonly conditions: Array<string> = []
  readonly parameters: Array<unknown> = []

  /** A further parameter; answers its placeholder. */
  parameter(value: unknown): string {
    this.parameters.push(value)
    return `$${this.parameters.length}`
  }

  add(condition: (placeholder: string) => string, value: unknown): this {
    this.conditions.push(condition(this.parameter(value)))
    return this
  }

  /** Nothing for `undefined`. */
  addIf<A>(value: A | undefined, condition: (placeholder: string) => string, encode: (value: A) => unknown): this {
    return value === undefined ? this : this.add(condition, encode(value))
  }

  toString(): string {
    return this.conditions.length === 0 ? "true" : this.conditions.join(" and ")
  }
}
