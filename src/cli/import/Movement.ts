/**
 * From a row of a file to a movement of a wallet: the form that each value must have. A
 * row that does not fit says why. Pure.
 */
import * as Result from "effect/Result"
import { amountLimit, isCurrency, isId, isMetadata, isText, maxTextLength, noMetadata } from "../../domain/Limits.ts"
import type { Metadata } from "../../domain/Limits.ts"
import type { ColumnRules, Columns, MovementField } from "./Columns.ts"
import { type ExponentRules, exponentOf } from "./CurrencyExponents.ts"
import { type DecimalFormat, parseDecimal } from "./Decimals.ts"
import { columnsKey, digestOf, lineKey, rowKey } from "./RowKeys.ts"

export interface MovementRules extends ColumnRules {
  readonly exponents: ExponentRules
  readonly decimal: DecimalFormat
  /** `false`: what the balance column says is not even read. */
  readonly checkBalance: boolean
  /** Wallet by the file's name for it; an empty one: its rows are left out. `undefined`: the names are ids. */
  readonly walletMap: ReadonlyMap<string, string> | undefined
  /** Keeps files apart whose ids are the same. */
  readonly source: string | undefined
}

/** What tells a row from the others of its wallet: a key, or what it says, of which there may be more than one. */
export type RowIdentity = { readonly key: string } | { readonly content: string }

export interface Movement {
  readonly walletId: string
  /** What the file calls the wallet, where the caller has named it; empty: nothing. */
  readonly account: string
  /** As the file names it; `undefined`: it does not. */
  readonly ownerId: string | undefined
  readonly currency: string
  /** Digits after the point of the currency. */
  readonly exponent: number
  /** Minor units, below 0 for a debit; 0: nothing moves. */
  readonly signed: bigint
  /** What the bank says the balance is after this row. */
  readonly balanceAfter: bigint | undefined
  readonly reference: string | null
  readonly metadata: Metadata
  readonly date: string
  readonly identity: RowIdentity
}

const directions: Readonly<Record<string, "credit" | "debit">> = {
  credit: "credit",
  cr: "credit",
  crdt: "credit",
  c: "credit",
  "+": "credit",
  debit: "debit",
  dr: "debit",
  dbit: "debit",
  d: "debit",
  "-": "debit"
}

/** A text, or a value of JSON that is none. */
type Row = Readonly<Record<string, unknown>>

/** Reads the values of one row by field. */
class RowValues {
  private readonly row: Row
  private readonly columns: Columns["of"]

  constructor(row: Row, columns: Columns["of"]) {
    this.row = row
    this.columns = columns
  }

  has(field: MovementField): boolean {
    return this.columns[field] !== undefined
  }

  /** Of a column by its name; empty where the row does not have it. */
  named(column: string): Result.Result<string, string> {
    const value = Object.hasOwn(this.row, column) ? this.row[column] : ""
    return typeof value === "string"
      ? Result.succeed(value)
      : Result.fail(`the value of ${column} is neither a text nor a number`)
  }

  of(field: MovementField): Result.Result<string, string> {
    const column = this.columns[field]
    return column === undefined ? Result.succeed("") : Result.map(this.named(column), (text) => text.trim())
  }
}

const inRange = (units: bigint): boolean => (units < 0n ? -units : units) < amountLimit

/** An amount that says by itself whether it comes or goes. */
const parseSigned = (text: string, exponent: number, rules: MovementRules, field: string) => {
  const parsed = Result.mapError(parseDecimal(text, exponent, rules.decimal), (reason) => `${field}: ${reason}`)
  return Result.isSuccess(parsed) && !inRange(parsed.success)
    ? Result.fail(`${field}: has more than 30 digits of minor units`)
    : parsed
}

/** Two columns: what came in, what went out. One of them is empty or zero. */
const parseInAndOut = (values: RowValues, exponent: number, rules: MovementRules): Result.Result<bigint, string> =>
  Result.gen(function* () {
    const parts: Array<bigint> = []
    let written = 0
    for (const field of ["in", "out"] as const) {
      const text = yield* values.of(field)
      if (text !== "") written += 1
      const units = text === "" ? 0n : yield* parseSigned(text, exponent, rules, field)
      if (units < 0n) return yield* Result.fail(`${field}: has a sign although its column says the direction`)
      parts.push(units)
    }
    const [came = 0n, went = 0n] = parts
    if (written === 0) return yield* Result.fail("in, out: both are empty")
    if (came > 0n && went > 0n) return yield* Result.fail("in, out: both have an amount")
    return came - went
  })

/** With a direction the amount has no sign; without one, its sign is the direction. */
const parseAmount = (values: RowValues, exponent: number, rules: MovementRules): Result.Result<bigint, string> =>
  Result.gen(function* () {
    const given = values.has("amount")
      ? yield* parseSigned(yield* values.of("amount"), exponent, rules, "amount")
      : yield* parseInAndOut(values, exponent, rules)
    if (!values.has("direction")) return given
    const text = yield* values.of("direction")
    const word = text.toLowerCase()
    if (!Object.hasOwn(directions, word)) {
      return yield* Result.fail(`direction: ${JSON.stringify(text)} is neither credit nor debit`)
    }
    const goes = directions[word] === "debit"
    if (!values.has("amount")) {
      return given !== 0n && given < 0n !== goes
        ? yield* Result.fail(`direction: says ${text}, and the amount stands in the other column`)
        : given
    }
    if (given < 0n) return yield* Result.fail("amount: has a sign although there is a direction")
    return goes ? -given : given
  })

const parseBalance = (values: RowValues, exponent: number, rules: MovementRules) =>
  Result.gen(function* () {
    if (!rules.checkBalance) return undefined
    const text = yield* values.of("balance")
    if (text === "") return undefined
    return yield* Result.mapError(parseDecimal(text, exponent, rules.decimal), (reason) => `balance: ${reason}`)
  })

const parseMetadata = (
  values: RowValues,
  date: string,
  names: ReadonlyArray<string>
): Result.Result<Metadata, string> =>
  Result.gen(function* () {
    const entries: Array<[string, string]> = date === "" ? [] : [["bookedOn", date]]
    for (const name of names) {
      const value = yield* values.named(name)
      if (value !== "") entries.push([name, value])
    }
    if (entries.length === 0) return noMetadata
    const metadata = Object.fromEntries(entries)
    if (Object.keys(metadata).length < entries.length) {
      return yield* Result.fail("metadata: the column bookedOn and the date would be one value")
    }
    return isMetadata(metadata)
      ? metadata
      : yield* Result.fail("metadata: at most 20 values of at most 512 characters each, without U+0000")
  })

/** `undefined`: the map leaves it out. */
const parseWallet = (values: RowValues, rules: MovementRules): Result.Result<string | undefined, string> =>
  Result.gen(function* () {
    const name = rules.wallet ?? (yield* values.of("wallet"))
    if (rules.wallet === undefined && rules.walletMap !== undefined) {
      const mapped = rules.walletMap.get(name)
      if (mapped === undefined)
        return yield* Result.fail(`wallet: --wallet-map says nothing about ${JSON.stringify(name)}`)
      return mapped === "" ? undefined : mapped
    }
    if (isId(name)) return name
    const advice = name === "" ? "" : "; --wallet-map FILE gives it one that is"
    return yield* Result.fail(`wallet: ${JSON.stringify(name)} is not 1-64 of A-Z a-z 0-9 _ -${advice}`)
  })

/** What a row says of its movement, as it stands there: metadata that a later run keeps in addition changes nothing. */
const contentOf = (values: RowValues, parts: ReadonlyArray<string>): Result.Result<RowIdentity, string> =>
  Result.map(values.of("balance"), (balance) => ({ content: digestOf([...parts, balance]) }))

const parseIdentity = (
  values: RowValues,
  line: number,
  said: ReadonlyArray<string>,
  rules: MovementRules
): Result.Result<RowIdentity, string> =>
  Result.gen(function* () {
    const { rowIds, source } = rules
    if (rowIds._tag === "Columns") {
      const parts: Array<string> = []
      for (const name of rowIds.names) parts.push((yield* values.named(name)).trim())
      if (parts.every((part) => part === "")) return yield* Result.fail(`${rowIds.names.join(", ")}: all are empty`)
      return { key: columnsKey(source, parts) }
    }
    const id = yield* values.of("id")
    if (rowIds._tag === "Line") return { key: lineKey(source, line, id) }
    if (id !== "") return { key: rowKey(source, id) }
    return values.has("id") ? yield* Result.fail("id: is empty") : yield* contentOf(values, said)
  })

/** One row as a movement, `undefined`: the wallet map leaves it out; a failure says which value is wrong and why. */
export const parseMovement = (
  row: Row,
  line: number,
  columns: Columns["of"],
  rules: MovementRules
): Result.Result<Movement | undefined, string> => {
  const values = new RowValues(row, columns)
  return Result.gen(function* () {
    const walletId = yield* parseWallet(values, rules)
    if (walletId === undefined) return undefined
    const owner = yield* values.of("owner")
    if (owner !== "" && !isId(owner)) {
      return yield* Result.fail(`owner: ${JSON.stringify(owner)} is not 1-64 of A-Z a-z 0-9 _ -`)
    }
    const currency = (yield* values.of("currency")) || (rules.currency ?? "")
    if (!isCurrency(currency)) {
      return yield* Result.fail(`currency: ${JSON.stringify(currency)} is not a code like EUR`)
    }
    const reference = yield* values.of("reference")
    if (!isText(reference, maxTextLength)) {
      return yield* Result.fail(`reference: longer than ${maxTextLength} characters, or has U+0000`)
    }
    const exponent = yield* exponentOf(currency, rules.exponents)
    const signed = yield* parseAmount(values, exponent, rules)
    const date = yield* values.of("date")
    return {
      walletId,
      account: rules.wallet === undefined ? "" : yield* values.of("wallet"),
      ownerId: owner === "" ? undefined : owner,
      currency,
      exponent,
      signed,
      balanceAfter: yield* parseBalance(values, exponent, rules),
      reference: reference === "" ? null : reference,
      metadata: yield* parseMetadata(values, date, rules.metadata),
      date,
      identity: yield* parseIdentity(values, line, [walletId, currency, String(signed), date, reference], rules)
    }
  })
}
