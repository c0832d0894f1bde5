/**
 * From a row of a file to a movement of a wallet: which column is what, and the form
 * that each value must have; amounts as banks write them, exactly, without a float on
 * the way. Pure; a row that does not fit says why.
 */
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import {
  importKeyPrefix,
  isAmount,
  isCurrency,
  isId,
  isIdempotencyKey,
  isMetadata,
  isText,
  maxTextLength,
  type Metadata,
  noMetadata
} from "../../domain/Limits.ts"

/** Digits after the point that a currency may have. */
export const maxExponent = 18

const pattern = /^([+-]?)([0-9]{1,30})(?:\.([0-9]+))?$/

/**
 * `"700.00"` with exponent 2 is `70000n` minor units; signed. A failure says why the
 * text is not such an amount; more decimals than the currency has are refused, also
 * zeros, for they say that the exponent is wrong.
 */
export const parseDecimal = (text: string, exponent: number): Result.Result<bigint, string> => {
  const match = pattern.exec(text.trim())
  if (match === null) return Result.fail(`${JSON.stringify(text)} is not an amount like 1234.56`)
  const [, sign, whole = "0", decimals = ""] = match
  if (decimals.length > exponent) {
    return Result.fail(`${JSON.stringify(text)} has more than ${exponent} decimals`)
  }
  const units = BigInt(whole + decimals.padEnd(exponent, "0"))
  return Result.succeed(sign === "-" ? -units : units)
}

/** The other way round: `70000n` with exponent 2 is `"700.00"`. */
export const formatDecimal = (units: bigint, exponent: number): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(exponent + 1, "0")
  const sign = units < 0n ? "-" : ""
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`
}

export const movementFields = [
  "id",
  "wallet",
  "owner",
  "direction",
  "amount",
  "balance",
  "currency",
  "reference",
  "date"
] as const

export type MovementField = (typeof movementFields)[number]

/** The first of these that the file has, unless the caller maps the field. */
export const usualColumns: Readonly<Record<MovementField, ReadonlyArray<string>>> = {
  id: ["transaction_id", "id"],
  wallet: ["wallet_id", "account_id"],
  owner: ["owner_id"],
  direction: ["direction"],
  amount: ["amount"],
  balance: ["balance_after", "balance"],
  currency: ["currency"],
  reference: ["reference", "description"],
  date: ["booked_on", "date"]
}

export interface MovementRules {
  /** Column per field, where it is not a usual one. */
  readonly columns: Readonly<Partial<Record<MovementField, string>>>
  /** For files without a currency column. */
  readonly currency: string | undefined
  /** Digits after the point of an amount, 0–18. */
  readonly exponent: number
  /** Further columns to keep as metadata, under their own names. */
  readonly metadata: ReadonlyArray<string>
}

export interface Movement {
  readonly walletId: string
  readonly ownerId: string
  readonly currency: string
  readonly direction: "credit" | "debit"
  readonly amount: bigint
  /** What the bank says the balance is after this row. */
  readonly balanceAfter: bigint | undefined
  readonly reference: string | null
  readonly metadata: Metadata
  /** From the row's own id, so that a second import of it is recognised. */
  readonly idempotencyKey: string
}

export type Columns = Readonly<Partial<Record<MovementField, string>>>

const required: ReadonlyArray<MovementField> = ["id", "wallet", "amount"]

/** Which column of this header is which field; a failure names what is missing. */
export const resolveColumns = (header: ReadonlyArray<string>, rules: MovementRules): Result.Result<Columns, string> => {
  const columns: Partial<Record<MovementField, string>> = {}
  for (const field of movementFields) {
    const mapped = rules.columns[field]
    if (mapped !== undefined && !header.includes(mapped)) {
      return Result.fail(`there is no column ${mapped} (mapped to ${field}); there are: ${header.join(", ")}`)
    }
    const column = mapped ?? usualColumns[field].find((name) => header.includes(name))
    if (column !== undefined) columns[field] = column
  }
  const missing = required.find((field) => columns[field] === undefined)
  if (missing !== undefined) {
    return Result.fail(
      `there is no ${missing} column; name it by --map ${missing}=COLUMN, one of: ${header.join(", ")}`
    )
  }
  if (columns.currency === undefined && rules.currency === undefined) {
    return Result.fail("there is no currency column; give --currency CODE")
  }
  const absent = rules.metadata.find((name) => !header.includes(name))
  if (absent !== undefined) return Result.fail(`there is no column ${absent} to keep as metadata`)
  return Result.succeed(columns)
}

const directions: Readonly<Record<string, "credit" | "debit">> = {
  credit: "credit",
  cr: "credit",
  c: "credit",
  "+": "credit",
  debit: "debit",
  dr: "debit",
  d: "debit",
  "-": "debit"
}

/** Ids with characters that a key cannot have go in by their hash. */
const keyOf = (id: string): string => {
  const key = `${importKeyPrefix}${id}`
  return isIdempotencyKey(key) ? key : `${importKeyPrefix}sha256:${createHash("sha256").update(id).digest("base64url")}`
}

type Row = Readonly<Record<string, string>>

interface SignedAmount {
  readonly direction: "credit" | "debit"
  readonly amount: bigint
}

/** With a direction column the amount has no sign; without one, its sign is the direction. */
const parseAmount = (row: Row, columns: Columns, exponent: number): Result.Result<SignedAmount, string> => {
  const parsed = parseDecimal(row[columns.amount ?? ""] ?? "", exponent)
  if (Result.isFailure(parsed)) return Result.fail(`amount: ${parsed.failure}`)
  const signed = parsed.success
  const amount = signed < 0n ? -signed : signed
  if (!isAmount(amount)) return Result.fail("amount: must be above 0 and have at most 30 digits of minor units")
  if (columns.direction === undefined) return Result.succeed({ direction: signed < 0n ? "debit" : "credit", amount })
  const text = row[columns.direction] ?? ""
  const direction = directions[text.trim().toLowerCase()]
  if (direction === undefined) return Result.fail(`direction: ${JSON.stringify(text)} is neither credit nor debit`)
  if (signed < 0n) return Result.fail("amount: has a sign although there is a direction")
  return Result.succeed({ direction, amount })
}

const parseBalance = (row: Row, columns: Columns, exponent: number): Result.Result<bigint | undefined, string> => {
  const text = columns.balance === undefined ? "" : (row[columns.balance] ?? "")
  return text.trim() === ""
    ? Result.succeed(undefined)
    : Result.mapError(parseDecimal(text, exponent), (reason) => `balance: ${reason}`)
}

const parseMetadata = (row: Row, columns: Columns, names: ReadonlyArray<string>): Result.Result<Metadata, string> => {
  const entries = names.map((name): [string, string] => [name, row[name] ?? ""])
  const date = columns.date === undefined ? "" : (row[columns.date] ?? "")
  if (date !== "") entries.unshift(["bookedOn", date])
  const kept = entries.filter(([, value]) => value !== "")
  if (kept.length === 0) return Result.succeed(noMetadata)
  const metadata = Object.fromEntries(kept)
  return isMetadata(metadata)
    ? Result.succeed(metadata)
    : Result.fail("metadata: at most 20 values of at most 512 characters each")
}

/** One row as a movement; a failure says which value is wrong and why. */
export const parseMovement = (row: Row, columns: Columns, rules: MovementRules): Result.Result<Movement, string> => {
  const value = (field: MovementField): string => {
    const column = columns[field]
    return column === undefined ? "" : (row[column] ?? "").trim()
  }
  const id = value("id")
  if (id === "") return Result.fail("id: is empty")
  const walletId = value("wallet")
  if (!isId(walletId)) return Result.fail(`wallet: ${JSON.stringify(walletId)} is not 1-64 of A-Z a-z 0-9 _ -`)
  const ownerId = value("owner") || walletId
  if (!isId(ownerId)) return Result.fail(`owner: ${JSON.stringify(ownerId)} is not 1-64 of A-Z a-z 0-9 _ -`)
  const currency = value("currency") || (rules.currency ?? "")
  if (!isCurrency(currency)) return Result.fail(`currency: ${JSON.stringify(currency)} is not a code like EUR`)
  const reference = value("reference")
  if (!isText(reference, maxTextLength)) return Result.fail(`reference: longer than ${maxTextLength} characters`)
  return Result.gen(function* () {
    const { amount, direction } = yield* parseAmount(row, columns, rules.exponent)
    const balanceAfter = yield* parseBalance(row, columns, rules.exponent)
    const metadata = yield* parseMetadata(row, columns, rules.metadata)
    return {
      walletId,
      ownerId,
      currency,
      direction,
      amount,
      balanceAfter,
      reference: reference === "" ? null : reference,
      metadata,
      idempotencyKey: keyOf(id)
    }
  })
}
