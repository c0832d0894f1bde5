/**
 * Which column of a row is which field. A row of CSV has the columns of the header, a row
 * of JSONL those that it names itself: what one row says about its columns is nothing to
 * the next. Pure.
 */
import * as Result from "effect/Result"

export const movementFields = [
  "id",
  "wallet",
  "owner",
  "direction",
  "amount",
  "in",
  "out",
  "balance",
  "currency",
  "reference",
  "date"
] as const

export type MovementField = (typeof movementFields)[number]

/** The first of these that the row has, unless the caller maps the field; `Balance After` and `balanceAfter` are such names, too. */
const usualColumns: Readonly<Record<MovementField, ReadonlyArray<string>>> = {
  id: ["transaction_id", "id"],
  wallet: ["wallet_id", "account_id"],
  owner: ["owner_id"],
  direction: ["direction"],
  amount: ["amount"],
  in: ["amount_in", "paid_in", "money_in"],
  out: ["amount_out", "paid_out", "money_out"],
  balance: ["balance_after", "balance"],
  currency: ["currency"],
  reference: ["reference", "description"],
  date: ["booked_on", "date"]
}

/**
 * What tells two rows of a wallet apart.
 * - `Column`: an id of their own, where they have one; else what they say, and which of those that say the same they are.
 * - `Columns`: what these columns say together.
 * - `Line`: the line of the file, with the id where there is one.
 */
export type RowIds =
  | { readonly _tag: "Column" }
  | { readonly _tag: "Columns"; readonly names: ReadonlyArray<string> }
  | { readonly _tag: "Line" }

export interface ColumnRules {
  /** Column per field, where it is not a usual one. */
  readonly columns: Readonly<Partial<Record<MovementField, string>>>
  /** The wallet of every row. */
  readonly wallet: string | undefined
  /** Of rows that name none. */
  readonly currency: string | undefined
  readonly rowIds: RowIds
  /** Further columns to keep as metadata, under their own names. */
  readonly metadata: ReadonlyArray<string>
  /** A column that is nothing is refused. */
  readonly strict: boolean
}

export interface Columns {
  readonly of: Readonly<Partial<Record<MovementField, string>>>
  /** What nobody has asked for. */
  readonly ignored: ReadonlyArray<string>
}

/** `Paid In`, `paid-in` and `paidIn` are `paid_in`. */
const folded = (name: string): string =>
  name
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[\s-]+/g, "_")
    .toLowerCase()

const listed = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** The column that is this field by its name; a failure: there are two. */
const usualColumn = (
  field: MovementField,
  byUsualName: ReadonlyMap<string, ReadonlyArray<string>>
): Result.Result<string | undefined, string> => {
  const found = usualColumns[field].map((name) => byUsualName.get(name)).find((columns) => columns !== undefined)
  return found !== undefined && found.length > 1
    ? Result.fail(`${found.join(" and ")} may both be the ${field}; say which by --map ${field}=COLUMN`)
    : Result.succeed(found?.[0])
}

/** Every field on its own; without an amount two columns may be one. */
const fieldsOf = (names: ReadonlyArray<string>, rules: ColumnRules): Result.Result<Columns["of"], string> => {
  const has = new Set(names)
  const byUsualName = new Map<string, Array<string>>()
  for (const name of names) byUsualName.set(folded(name), [...(byUsualName.get(folded(name)) ?? []), name])
  const columns: Partial<Record<MovementField, string>> = {}
  for (const field of movementFields) {
    const mapped = rules.columns[field]
    const usual = mapped === undefined ? usualColumn(field, byUsualName) : Result.succeed(mapped)
    if (Result.isFailure(usual)) return Result.fail(usual.failure)
    const column = usual.success
    if (column !== undefined && has.has(column)) columns[field] = column
  }
  const twoAsked = rules.columns.in !== undefined || rules.columns.out !== undefined
  if (twoAsked) delete columns.amount
  else if (columns.amount !== undefined) {
    delete columns.in
    delete columns.out
  }
  return Result.succeed(columns)
}

/** Fields without which there is no movement, and what else there is. */
const missingIn = (columns: Columns["of"], names: ReadonlyArray<string>, rules: ColumnRules): string | undefined => {
  const absent = (field: MovementField): string =>
    `there is no ${field} column; name it by --map ${field}=COLUMN, one of: ${listed(names)}`
  if (columns.wallet === undefined && rules.wallet === undefined) {
    return `${absent("wallet")}; or give --wallet ID, if all rows are of one wallet`
  }
  if (columns.amount === undefined && columns.in === undefined && columns.out === undefined) return absent("amount")
  if (columns.currency === undefined && rules.currency === undefined) {
    return "there is no currency column; give --currency CODE"
  }
  return undefined
}

/** Columns that were asked for by name, and what for. */
const askedFor = (rules: ColumnRules): ReadonlyArray<readonly [column: string, purpose: string]> => [
  ...movementFields.flatMap((field): ReadonlyArray<readonly [string, string]> => {
    const column = rules.columns[field]
    return column === undefined ? [] : [[column, `mapped to ${field}`]]
  }),
  ...rules.metadata.map((name) => [name, "to keep as metadata"] as const),
  ...(rules.rowIds._tag === "Columns" ? rules.rowIds.names.map((name) => [name, "part of the id"] as const) : [])
]

/** Of a file with a header: all columns that were asked for must be in it, and of two columns of amounts both. */
export const headerMisses = (names: ReadonlyArray<string>, rules: ColumnRules): string | undefined => {
  const absent = askedFor(rules).find(([column]) => !names.includes(column))
  if (absent !== undefined) return `there is no column ${absent[0]} (${absent[1]}); there are: ${listed(names)}`
  const of = Result.getOrElse(fieldsOf(names, rules), (): Columns["of"] => ({}))
  if (of.amount !== undefined || (of.in === undefined) === (of.out === undefined)) return undefined
  return of.out === undefined
    ? `there is ${of.in}, and no column of what goes out; name both by --map in=COLUMN --map out=COLUMN, or --map amount=${of.in}`
    : `there is ${of.out}, and no column of what comes in; name both by --map in=COLUMN --map out=COLUMN`
}

/** Without a header a row may leave columns out, but not the one that says whether money comes or goes, or who it is. */
const rowMisses = (names: ReadonlyArray<string>, rules: ColumnRules): string | undefined => {
  const needed: ReadonlyArray<MovementField> = ["id", "wallet", "direction", "amount"]
  const absent = needed.find((field) => {
    const column = rules.columns[field]
    return column !== undefined && !names.includes(column)
  })
  return absent === undefined ? undefined : `there is no ${rules.columns[absent]} (mapped to ${absent})`
}

/** The columns of a row that has these; a failure names what is missing. */
export const resolveColumns = (names: ReadonlyArray<string>, rules: ColumnRules): Result.Result<Columns, string> => {
  const fields = fieldsOf(names, rules)
  if (Result.isFailure(fields)) return Result.fail(fields.failure)
  const of = fields.success
  const missing = rowMisses(names, rules) ?? missingIn(of, names, rules)
  if (missing !== undefined) return Result.fail(missing)
  const used = new Set([...Object.values(of), ...askedFor(rules).map(([column]) => column)])
  const ignored = names.filter((name) => !used.has(name))
  return rules.strict && ignored.length > 0
    ? Result.fail(`--strict: nothing is said about ${ignored.join(", ")}`)
    : Result.succeed({ of, ignored })
}

/** Columns by the names that rows have, each list once. */
export class ColumnsByRow {
  private readonly rules: ColumnRules
  private readonly known = new Map<string, Result.Result<Columns, string>>()
  private readonly unseen: Map<string, string>

  constructor(rules: ColumnRules) {
    this.rules = rules
    this.unseen = new Map(askedFor(rules))
  }

  of(row: Readonly<Record<string, unknown>>): Result.Result<Columns, string> {
    const names = Object.keys(row)
    const list = names.join("\n")
    const known = this.known.get(list)
    if (known !== undefined) return known
    const resolved = resolveColumns(names, this.rules)
    for (const name of names) this.unseen.delete(name)
    if (this.known.size < maxKnownLists) this.known.set(list, resolved)
    return resolved
  }

  /** What was asked for by name and is in no row. */
  get absent(): string | undefined {
    const [first] = this.unseen
    return first === undefined ? undefined : `no row has ${first[0]} (${first[1]})`
  }
}

/** Lists of names whose columns are remembered: a file has a handful. */
const maxKnownLists = 256
