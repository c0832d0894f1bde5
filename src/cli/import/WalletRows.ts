/**
 * What the rows of one wallet in a file say together, folded as they come: which way they
 * run, what the balance was before the first, and which row does not fit the others. A
 * file may run from oldest to newest or from newest to oldest; each way its balances
 * either add up or do not. Constant memory per wallet. Pure.
 */
import * as Result from "effect/Result"
import { formatDecimal } from "./Decimals.ts"
import type { Movement } from "./Movement.ts"

/** `file`: as the balances and dates of the wallet's rows say. */
export type RowOrder = "file" | "oldest-first" | "newest-first"

export interface RowPlace {
  readonly row: number
  readonly line: number
}

/** A row that does not fit, and why. */
export interface Misfit extends RowPlace {
  readonly reason: string
}

/** One way to read the rows. */
interface Fold {
  /** What the next balance must be before its own row's movement is looked at. `undefined`: no balance yet. */
  expected: bigint | undefined
  /** Moved by rows before the first balance. */
  unknown: bigint
  /** Before the oldest row. */
  opening: bigint | undefined
  misfit: Misfit | undefined
}

const newFold = (): Fold => ({ expected: undefined, unknown: 0n, opening: undefined, misfit: undefined })

const isoDate = /^\d{4}-\d\d-\d\d/

/** How the rows run, and from what balance. */
export interface Reading {
  readonly newestFirst: boolean
  /** Before the oldest row; `undefined`: there are no balances. */
  readonly opening: bigint | undefined
  /** Where nothing tells which way the rows run, for the balances fit either way: what it would be the other way round. */
  readonly otherOpening: bigint | undefined
}

export class WalletRows {
  readonly walletId: string
  readonly currency: string
  readonly exponent: number
  readonly first: RowPlace
  ownerId: string | undefined
  earliest: number | null = null
  private ownerLine = 0
  private readonly oldestFirst = newFold()
  private readonly newestFirst = newFold()
  private lastDate = ""
  private rises = false
  private falls = false

  constructor({ currency, exponent, ownerId, walletId }: Movement, first: RowPlace) {
    this.walletId = walletId
    this.currency = currency
    this.exponent = exponent
    this.ownerId = ownerId
    this.ownerLine = first.line
    this.first = first
  }

  /** Takes the next row; a failure says why it cannot be one of this wallet. */
  add(movement: Movement, place: RowPlace): string | undefined {
    const { currency, date, effectiveAt, ownerId, walletId } = movement
    if (currency !== this.currency) return `wallet ${walletId} is in ${this.currency}, not ${currency}`
    if (ownerId !== undefined && this.ownerId !== undefined && ownerId !== this.ownerId) {
      return `wallet ${walletId} is ${this.ownerId}'s on line ${this.ownerLine}, not ${ownerId}'s`
    }
    if (this.ownerId === undefined && ownerId !== undefined) {
      this.ownerId = ownerId
      this.ownerLine = place.line
    }
    if (effectiveAt !== null) this.earliest = Math.min(effectiveAt, this.earliest ?? effectiveAt)
    this.addDate(date)
    this.addOldestFirst(movement, place)
    this.addNewestFirst(movement, place)
    return undefined
  }

  private addDate(date: string): void {
    if (!isoDate.test(date)) return
    if (this.lastDate !== "") {
      if (date > this.lastDate) this.rises = true
      if (date < this.lastDate) this.falls = true
    }
    this.lastDate = date
  }

  private addOldestFirst({ balanceAfter, signed }: Movement, place: RowPlace): void {
    const fold = this.oldestFirst
    if (fold.expected === undefined) {
      fold.unknown += signed
      if (balanceAfter === undefined) return
      fold.opening = balanceAfter - fold.unknown
      fold.expected = balanceAfter
      return
    }
    fold.expected += signed
    if (balanceAfter !== undefined && balanceAfter !== fold.expected)
      fold.misfit ??= this.misfit(place, fold.expected, balanceAfter)
  }

  private addNewestFirst({ balanceAfter, signed }: Movement, place: RowPlace): void {
    const fold = this.newestFirst
    if (balanceAfter !== undefined) {
      if (fold.expected !== undefined && balanceAfter !== fold.expected) {
        fold.misfit ??= this.misfit(place, fold.expected, balanceAfter)
      }
      fold.expected ??= balanceAfter
    }
    if (fold.expected === undefined) return
    fold.expected -= signed
    fold.opening = fold.expected
  }

  private misfit(place: RowPlace, expected: bigint, says: bigint): Misfit {
    const [here, there] = [expected, says].map((units) => formatDecimal(units, this.exponent))
    return {
      ...place,
      reason: `the balance of wallet ${this.walletId} is ${here} after this row, the file says ${there}`
    }
  }

  /** How the rows are to be read; a failure names the row that fits neither way. */
  reading(asked: RowOrder): Result.Result<Reading, Misfit> {
    if (asked !== "file") return this.readingOf(asked === "newest-first")
    const onlyFalls = this.falls && !this.rises
    const onlyRises = this.rises && !this.falls
    if (this.oldestFirst.expected === undefined) {
      if (!onlyFalls) return Result.succeed({ newestFirst: false, opening: undefined, otherOpening: undefined })
      const reason = `the dates of wallet ${this.walletId} run from newest to oldest, and no balance says so`
      return Result.fail({ ...this.first, reason: `${reason}; give --order newest-first or oldest-first` })
    }
    const [oldest, newest] = [this.oldestFirst.misfit, this.newestFirst.misfit]
    if (oldest === undefined && newest === undefined && !onlyFalls && !onlyRises) {
      return Result.map(this.readingOf(false), (reading) => ({ ...reading, otherOpening: this.newestFirst.opening }))
    }
    if (oldest === undefined) return this.readingOf(onlyFalls && newest === undefined)
    if (newest === undefined && !onlyRises) return this.readingOf(true)
    // Neither way: that is meant which goes well for longer, unless the dates say which it is.
    return this.readingOf(!onlyRises && newest !== undefined && (onlyFalls || newest.row > oldest.row))
  }

  private readingOf(newestFirst: boolean): Result.Result<Reading, Misfit> {
    const { misfit, opening } = newestFirst ? this.newestFirst : this.oldestFirst
    return misfit === undefined
      ? Result.succeed({ newestFirst, opening, otherOpening: undefined })
      : Result.fail(misfit)
  }
}
