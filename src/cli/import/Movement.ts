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
import { type DateRules, effectiveAtOf } from "./RowDates.ts"
import { columnsKey, digestOf, lineKey, rowKey } from "./RowKeys.ts"

export interface MovementRules extends ColumnRules, DateRules {
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
  /** When it counts for the books, milliseconds; `null`: when it is booked. */
  readonly effectiveAt: number | null
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

/** Words that hardly say anything else than a direction; one letter may. */
const plainDirections = new Set(["credit", "debit", "crdt", "dbit", "cr", "dr"])

/**
 * Where nothing but the sign says which way the money goes, and a column that nobody has
 * asked for says the contrary: what is wrong. The amounts of such a file have no signs,
 * and money that went would be booked as money that came.
 */
export const contradiction = (
  row: Row,
  { ignored, of }: Columns,
  { signed }: Pick<Movement, "signed">
): string | undefined => {
  if (of.direction !== undefined || of.amount === undefined || signed === 0n) return undefined
  for (const name of ignored) {
    const value = row[name]
    // No such word is longer, and most rows have none.
    if (typeof value !== "string" || value.length > 16) continue
    const word = value.trim().toLowerCase()
    if (!plainDirections.has(word) || (directions[word] === "debit") === signed < 0n) continue
    const advice = `--map direction=${name} says which way the money goes, --metadata ${name} that it does not`
    return `${name}: ${JSON.stringify(word)}, and the amount is ${signed < 0n ? "below" : "above"} zero; ${advice}`
  }
  return undefined
}

/** A text, or a value of JSON that is none. */
type Row = Readonly<Record<string, unknown>>

/** Reads one row, value by value; the first thing that is wrong is what it says, and no value counts from there. */
class RowParser {
  /** `undefined`: nothing was wrong so far. */
  wrong: string | undefined
  private readonly row: Row
  private readonly line: number
  private readonly columns: Columns["of"]
  private readonly rules: MovementRules

  constructor(row: Row, line: number, columns: Columns["of"], rules: MovementRules) {
    this.row = row
    this.line = line
    this.columns = columns
    this.rules = rules
  }

  /** The wallet; empty: the map leaves it out. */
  wallet(): string {
    const { wallet, walletMap } = this.rules
    const name = wallet ?? this.value("wallet")
    if (wallet === undefined && walletMap !== undefined) {
      return walletMap.get(name) ?? this.refuse(`wallet: --wallet-map says nothing about ${JSON.stringify(name)}`)
    }
    if (isId(name)) return name
    const advice = name === "" ? "" : "; --wallet-map FILE gives it one that is"
    return this.refuse(`wallet: ${JSON.stringify(name)} is not 1-64 of A-Z a-z 0-9 _ -${advice}`)
  }

  /** The movement of a row whose wallet is not left out. */
  movement(walletId: string): Movement {
    const { rules } = this
    const owner = this.value("owner")
    if (owner !== "" && !isId(owner)) this.refuse(`owner: ${JSON.stringify(owner)} is not 1-64 of A-Z a-z 0-9 _ -`)
    const currency = this.value("currency") || (rules.currency ?? "")
    if (!isCurrency(currency)) this.refuse(`currency: ${JSON.stringify(currency)} is not a code like EUR`)
    const reference = this.value("reference")
    if (!isText(reference, maxTextLength)) {
      this.refuse(`reference: longer than ${maxTextLength} characters, or has U+0000`)
    }
    const exponent = this.take(exponentOf(currency, rules.exponents), 0)
    const signed = this.signed(exponent)
    const date = this.value("date")
    return {
      walletId,
      account: rules.wallet === undefined ? "" : this.value("wallet"),
      ownerId: owner === "" ? undefined : owner,
      currency,
      exponent,
      signed,
      balanceAfter: this.balance(exponent),
      reference: reference === "" ? null : reference,
      metadata: this.metadata(date),
      date,
      effectiveAt: this.take(effectiveAtOf(date, rules), null),
      identity: this.identity([walletId, currency, String(signed), date, reference], exponent)
    }
  }

  private refuse(reason: string): string {
    this.wrong ??= reason
    return ""
  }

  private take<A>(result: Result.Result<A, string>, instead: NoInfer<A>): A {
    if (Result.isSuccess(result)) return result.success
    this.refuse(result.failure)
    return instead
  }

  private has(field: MovementField): boolean {
    return this.columns[field] !== undefined
  }

  /** Of a column by its name; empty where the row does not have it. */
  private named(column: string): string {
    const value = Object.hasOwn(this.row, column) ? this.row[column] : ""
    return typeof value === "string" ? value : this.refuse(`the value of ${column} is neither a text nor a number`)
  }

  private value(field: MovementField): string {
    const column = this.columns[field]
    return column === undefined ? "" : this.named(column).trim()
  }

  /** An amount that says by itself whether it comes or goes. */
  private units(field: MovementField, text: string, exponent: number): bigint {
    const parsed = parseDecimal(text, exponent, this.rules.decimal)
    if (Result.isFailure(parsed)) {
      this.refuse(`${field}: ${parsed.failure}`)
      return 0n
    }
    return parsed.success
  }

  private amount(field: "amount" | "in" | "out", text: string, exponent: number): bigint {
    const units = this.units(field, text, exponent)
    if (units >= amountLimit || units <= -amountLimit) this.refuse(`${field}: has more than 30 digits of minor units`)
    return units
  }

  /** Two columns: what came in, what went out. One of them is empty or zero. */
  private inAndOut(exponent: number): bigint {
    const [came, went] = (["in", "out"] as const).map((field) => {
      const text = this.value(field)
      if (text === "") return undefined
      const units = this.amount(field, text, exponent)
      if (units < 0n) this.refuse(`${field}: has a sign although its column says the direction`)
      return units
    })
    if (came === undefined && went === undefined) this.refuse("in, out: both are empty")
    const [plus, minus] = [came ?? 0n, went ?? 0n]
    if (plus > 0n && minus > 0n) this.refuse("in, out: both have an amount")
    return plus - minus
  }

  /** With a direction the amount has no sign; without one, its sign is the direction. */
  private signed(exponent: number): bigint {
    const one = this.has("amount")
    const given = one ? this.amount("amount", this.value("amount"), exponent) : this.inAndOut(exponent)
    if (!this.has("direction")) return given
    const text = this.value("direction")
    const word = text.toLowerCase()
    if (!Object.hasOwn(directions, word)) {
      this.refuse(`direction: ${JSON.stringify(text)} is neither credit nor debit`)
      return 0n
    }
    const goes = directions[word] === "debit"
    if (one && given < 0n) this.refuse("amount: has a sign although there is a direction")
    if (!one && given !== 0n && given < 0n !== goes) {
      this.refuse(`direction: says ${text}, and the amount stands in the other column`)
    }
    return one && goes ? -given : given
  }

  private balance(exponent: number): bigint | undefined {
    if (!this.rules.checkBalance) return undefined
    const text = this.value("balance")
    return text === "" ? undefined : this.units("balance", text, exponent)
  }

  /** Also where it is not compared: `5` and `5.00` say the same, and what is no amount says what stands there. */
  private saidBalance(exponent: number): string {
    const text = this.value("balance")
    const units = parseDecimal(text, exponent, this.rules.decimal)
    return Result.isSuccess(units) ? String(units.success) : text
  }

  private metadata(date: string): Metadata {
    const entries: Array<[string, string]> = date === "" ? [] : [["bookedOn", date]]
    for (const name of this.rules.metadata) {
      const value = this.named(name).trim()
      if (value !== "") entries.push([name, value])
    }
    if (entries.length === 0) return noMetadata
    const metadata = Object.fromEntries(entries)
    if (Object.keys(metadata).length < entries.length) {
      this.refuse("metadata: the column bookedOn and the date would be one value")
    } else if (!isMetadata(metadata)) {
      this.refuse("metadata: at most 20 values of at most 512 characters each, without U+0000")
    }
    return metadata
  }

  /** `said`: what a row says as it stands there; metadata that a later run keeps in addition changes nothing. */
  private identity(said: ReadonlyArray<string>, exponent: number): RowIdentity {
    const { rowIds, source } = this.rules
    if (rowIds._tag === "Columns") {
      const parts = rowIds.names.map((name) => this.named(name).trim())
      if (parts.every((part) => part === "")) this.refuse(`${rowIds.names.join(", ")}: all are empty`)
      return { key: columnsKey(source, parts) }
    }
    const id = this.value("id")
    // Their hash would be the same for all.
    if (!id.isWellFormed()) this.refuse("id: has half of a surrogate pair")
    if (rowIds._tag === "Line") return { key: lineKey(source, this.line, id) }
    if (id === "" && this.has("id")) this.refuse("id: is empty")
    return id === "" ? { content: digestOf([...said, this.saidBalance(exponent)]) } : { key: rowKey(source, id) }
  }
}

/** One row as a movement, `undefined`: the wallet map leaves it out; a failure says which value is wrong and why. */
export const parseMovement = (
  row: Row,
  line: number,
  columns: Columns["of"],
  rules: MovementRules
): Result.Result<Movement | undefined, string> => {
  const parser = new RowParser(row, line, columns, rules)
  const walletId = parser.wallet()
  if (parser.wrong !== undefined) return Result.fail(parser.wrong)
  if (walletId === "") return Result.succeed(undefined)
  const movement = parser.movement(walletId)
  return parser.wrong === undefined ? Result.succeed(movement) : Result.fail(parser.wrong)
}
