/**
 * A page of rows by ways that are bounded. A way leads along an index to rows among which are
 * those asked for, the newest first, and to no more than a bound of them: the row behind the
 * bound is answered as a mark (`beyond`). A page with such a mark in it is not known to be
 * whole; a page that is full before it is.
 *
 * Ways only have to miss none. Whether a row is what was asked for the filters decide, which
 * every way has; so a way may lead to too much, and several of them to the same row.
 */
import { Conditions } from "../Parameters.ts"

/** The columns of an order, all of them backwards. */
export type Order = ReadonlyArray<string>

export interface Marked {
  /** Rows from here on were not looked at. */
  readonly beyond: boolean
}

export type Ways = ReadonlyArray<string>

/** `name`: for an expression, so that the planner knows the rows to be in its order. */
type Equal = readonly [column: string, value: string, name?: string]

/**
 * Along an index of these columns: first those of which one value each is asked for, then the one that
 * makes the order. Columns and values are expressions.
 */
export interface Walk {
  readonly equal?: ReadonlyArray<Equal>
  readonly by: Order
  /** Inclusive. One of `by`. */
  readonly from?: string | undefined
  /** Exclusive. */
  readonly below?: string | undefined
  /** What the index has besides: of a partial one. */
  readonly where?: string
  /** Rows of the same columns that are elsewhere. */
  readonly in?: Rows
}

/** What is walked over; `columns`: of its rows `r`. */
export interface Rows {
  readonly table: string
  readonly columns: string
}

interface WalkOptions {
  /** Default: all that a page needs. */
  readonly take?: number
  readonly bound?: number
  /** The order of the answer, where the walk's own is only nearly it: then all of the bound is walked. */
  readonly sorted?: Order
}

export const backwards = (order: Order): string => order.map((column) => `${column} desc`).join(", ")

const orderOf = ({ by, equal = [] }: Walk): Order => [...equal.map(([column]) => column), ...by]

const namesOf = ({ by, equal = [] }: Walk): Order => [
  ...equal.map(([column, , name]) => (name === undefined ? column : `r.${name}`)),
  ...by
]

/**
 * Said by comparing rows: were the columns said to be equal to their values, any other index that has
 * the rest of the order would do for the planner, and it would read it to the end.
 */
const rangeOf = ({ below, by, equal = [], from, where = "true" }: Walk): string => {
  const columns = equal.map(([column]) => column)
  const values = equal.map(([, value]) => value)
  const row = (parts: ReadonlyArray<string>): string => `(${parts.join(", ")})`
  const isAtLeast =
    from === undefined
      ? [columns, values]
      : [
          [...columns, by[0]!],
          [...values, from]
        ]
  const isBelow = below === undefined ? undefined : `${row([...columns, ...by])} < ${row([...values, below])}`
  return [
    where,
    ...(isAtLeast[0]!.length === 0 ? [] : [`${row(isAtLeast[0]!)} >= ${row(isAtLeast[1]!)}`]),
    ...(isBelow === undefined ? (columns.length === 0 ? [] : [`${row(columns)} <= ${row(values)}`]) : [isBelow])
  ].join(" and ")
}

export class RowQuery {
  readonly values = new Conditions()
  readonly #rows: Rows
  readonly #keys: Order
  readonly #take: number
  readonly #walkedRows: number
  #bound: number
  readonly #filters: Array<string> = []

  /** Conditions and orders name the table's rows `r`. `keys`: what tells one from another; default: the position. */
  constructor(
    rows: string | Rows,
    options: { readonly limit: number; readonly walkedRows: number; readonly keys?: Order }
  ) {
    this.#rows = typeof rows === "string" ? { table: rows, columns: "r.*" } : rows
    this.#keys = options.keys ?? ["position"]
    // One more tells that there is a next page.
    this.#take = options.limit + 1
    this.#walkedRows = options.walkedRows
    this.#bound = options.walkedRows
  }

  filter(condition: string): this {
    this.#filters.push(condition)
    return this
  }

  /** A filter that looks other rows up: fewer can be looked at in the same time. */
  lookUp(): this {
    this.#bound = Math.min(this.#bound, Math.ceil(this.#walkedRows / lookUpCost))
    return this
  }

  filterAll(conditions: ReadonlyArray<string>): this {
    this.#filters.push(...conditions)
    return this
  }

  /** Nothing for `undefined`. */
  filterBy<A>(value: A | undefined, condition: (placeholder: string) => string, encode: (value: A) => unknown): this {
    return value === undefined ? this : this.filter(condition(this.values.parameter(encode(value))))
  }

  along(walk: Walk, options: WalkOptions = {}): string {
    const { bound = this.#bound, take = this.#take } = options
    const { columns, table } = walk.in ?? this.#rows
    const order = backwards(orderOf(walk))
    const named = (walk.equal ?? []).filter(([, , name]) => name !== undefined)
    // What its rows are elsewhere found by is not one of the columns that all have.
    const sorted = backwards(options.sorted ?? (walk.in === undefined ? namesOf(walk) : walk.by))
    // What the filters say has to stay out here, and every row has to be counted before.
    return `
      select * from (
        select ${columns}, row_number() over (order by ${order}) > ${bound} as beyond
          ${named.map(([column, , name]) => `, ${column} as ${name}`).join("")}
        from ${table} r where ${rangeOf(walk)} order by ${order} limit ${bound + 1}
      ) r where beyond or (${this.#where}) order by ${sorted} limit ${take}`
  }

  /** Several walks, which share the bound. */
  alongEach(walks: ReadonlyArray<Walk>): ReadonlyArray<string> {
    const bound = Math.ceil(this.#bound / walks.length)
    return walks.map((walk) => this.along(walk, { bound }))
  }

  /** To rows of which there are few: all are fetched and sorted. `from` names them `r`. */
  all(from: string, condition: string, sorted: Order = this.#sorted, { columns } = this.#rows): string {
    return `
      select r.*, false as beyond from (select ${columns} from ${from} where ${condition}) r where ${this.#where}
      order by ${backwards(sorted)} limit ${this.#take}`
  }

  /**
   * To the rows of each of several wallets `w`, along an index that has a wallet's in that order. A page's
   * rows are of those wallets whose first ones are the newest.
   */
  ofEach(wallets: { readonly condition: string; readonly count: number }, walks: ReadonlyArray<Walk>): Ways {
    const share = Math.floor(this.#bound / Math.max(1, wallets.count * walks.length))
    const bound = Math.max(leastOfEach, share)
    return walks.map(
      (walk) => `
      select r.* from (
        select w.id from wallets w cross join lateral (${this.along(walk, { take: 1, bound })}) f
        where ${wallets.condition} order by f.position desc limit ${this.#take}
      ) w cross join lateral (${this.along(walk, { bound })}) r
      order by ${backwards(this.#keys.map((key) => `r.${key}`))} limit ${this.#take}`
    )
  }

  /** `columns`: of the rows, which here go by `name`. Newest first by position. */
  statement(columns: string, name: string, ways: ReadonlyArray<string>): string {
    const found = ways.map((way) => `(${way})`).join(" union all ")
    // A row may be found in several ways.
    const page = `select distinct on (${this.#keys.join(", ")}) * from (${found}) found
      order by ${backwards(this.#keys)}, beyond desc limit ${this.#take}`
    const order = backwards(this.#keys.map((key) => `${name}.${key}`))
    return `select ${columns}, ${name}.beyond from (${page}) ${name} order by ${order}`
  }

  /** Expressions keep the planner from walking along the order instead of sorting. */
  get #sorted(): Order {
    return this.#keys.map((key) => `r.${key} + 0`)
  }

  get #where(): string {
    return this.#filters.length === 0 ? "true" : this.#filters.join(" and ")
  }
}

/** A row for which another one is looked up costs as much as so many. */
const lookUpCost = 4

/** Of each of several wallets at least so many rows may be looked at. */
const leastOfEach = 40
